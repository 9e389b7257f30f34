#include "sharding/predict/forecast.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/error.h"
#include "sharding/paging.h"
#include "sharding/predict/ring.h"
#include "sharding/support.h"
#include "sharding/tiers.h"

namespace trireme::sharding {
namespace {

/// Longer accumulation repeats the same micro-batches: two schedules that differ by one tell the rest.
constexpr int micro_batches_walked = 4;

const Model& model_of(const Subject& subject, const Placement& placement) {
  const bool quantised = placement.of_parameters(false).codec == Codec::nf4;
  return quantised && subject.quantised ? *subject.quantised : *subject.model;
}

bool is_tied(const Model& model) {
  std::vector<int> users(model.groups.size(), 0);
  for (const auto& unit : model.units)
    for (const int group : unit->groups()) ++users[static_cast<std::size_t>(group)];
  return std::any_of(users.begin(), users.end(), [](int count) { return count > 1; });
}

/// In chunks also where gradients vanish, if no logits are made twice for it.
const Subject* as_run(const Subject* subject, const Setting& setting) {
  if (!subject->when_split) return subject;
  const bool trainable = subject->model->groups.front().trainable;
  if (splits_vocabulary(setting.placement, setting.extent, trainable)) return subject->when_split;
  if (!trainable || !setting.options.gradients_vanish() || is_tied(*subject->model)) return subject;
  const ModelWork work = subject->when_split->work(setting.rows);
  const bool twice = std::any_of(work.units.begin(), work.units.end(),
                                 [](const UnitWork& unit) { return unit.makes_again; });
  return twice ? subject : subject->when_split;
}

/// What a subject says of its optimizer, which never updates anything.
class DescribedOptimizer final : public Optimizer {
 public:
  explicit DescribedOptimizer(const Subject& subject) : subject_(subject) {}
  std::string_view name() const override { return "described"; }
  std::vector<StateKind> states() const override { return subject_.states; }
  Granule granule() const override { return subject_.granule; }
  void update(const UpdateRun&, const UpdateScalars&) const override {
    fail(ExitCode::internal, "a planned optimizer updates nothing");
  }

 private:
  const Subject& subject_;
};

Blueprint blueprint_of(const Subject& subject, const Machine& machine, const Setting& setting) {
  Blueprint blueprint =
      draw(model_of(subject, setting.placement), setting.placement, setting.extent, subject.granule);
  page_states(blueprint, subject.states, setting.placement);
  TierOptions tiers;
  tiers.part_elements = subject.part_elements;
  cut_updates(blueprint, DescribedOptimizer(subject), tiers);
  if (!machine.device_is_host) meet_drives(blueprint, subject.nvme_depth);
  return blueprint;
}

std::string peak_words(const Schedule& schedule, int index) {
  if (index < 0) return {};
  const Op& op = schedule.ops[static_cast<std::size_t>(index)];
  return fmt::format("{} of {} in micro-batch {}", name_of(op.kind),
                     schedule.facts.units[static_cast<std::size_t>(op.target)].name, op.micro_batch + 1);
}

std::string missing_support(const Placement& placement, const Machine& machine) {
  try {
    require_supported(placement, !machine.device_is_host);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

/// The largest contributions, in words.
std::string largest_lines(const MemoryForecast& memory, Tier tier) {
  std::vector<MemoryLine> lines;
  for (const auto* part : {&memory.standing, &memory.passing})
    for (const MemoryLine& line : *part)
      if (line.tier == tier) lines.push_back(line);
  std::stable_sort(lines.begin(), lines.end(),
                   [](const MemoryLine& a, const MemoryLine& b) { return a.bytes > b.bytes; });
  std::string text;
  for (std::size_t i = 0; i < lines.size() && i < 3; ++i)
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", lines[i].what,
                        human_bytes(static_cast<double>(lines[i].bytes)));
  return text;
}

std::string shortage(const MemoryForecast& memory, const Machine& machine, const Extent& extent) {
  const TierBytes totals = memory.totals();
  const auto needs = [&](Tier tier) { return static_cast<double>(totals[static_cast<std::size_t>(tier)]); };
  const double device =
      needs(Tier::device) + machine.reserved_bytes + (machine.device_is_host ? needs(Tier::host) : 0.0);
  if (device > machine.memory_bytes)
    return fmt::format("needs {} of the device's {}: {}", human_bytes(device),
                       human_bytes(machine.memory_bytes), largest_lines(memory, Tier::device));
  const double host = needs(Tier::host) * extent.node;
  if (!machine.device_is_host && machine.host_memory_bytes > 0 && host > machine.host_memory_bytes)
    return fmt::format("the node's {} ranks need {} of its {} of memory: {} each", extent.node,
                       human_bytes(host), human_bytes(machine.host_memory_bytes),
                       largest_lines(memory, Tier::host));
  return {};
}

/// What a rank leaves of its share of the host's memory.
std::uint64_t left_on_host(const MemoryForecast& memory, const Machine& machine, const Extent& extent) {
  const TierBytes totals = memory.totals();
  const auto needs = [&](Tier tier) { return static_cast<double>(totals[static_cast<std::size_t>(tier)]); };
  const double left = machine.device_is_host ? machine.memory_bytes - machine.reserved_bytes -
                                                   needs(Tier::device) - needs(Tier::host)
                                             : machine.host_memory_bytes / extent.node - needs(Tier::host);
  return left > 0 ? static_cast<std::uint64_t>(left) : 0;
}

/// What a schedule takes: time, lanes, traffic.
struct Takes {
  double step_s = 0, exposed_s = 0;
  std::array<double, lane_count> occupied_s{}, critical_s{};
  comm::Traffic traffic;
};

Takes walk(const Schedule& schedule, const Setting& setting, const ModelWork& work, const Machine& machine,
           bool with_traffic) {
  const auto costs = costs_of(schedule, setting.placement, work, machine, setting.extent);
  const Timeline timeline = simulate(schedule, costs, machine.sharing());
  Takes takes{
      timeline.step_s(), exposed_communication(schedule, timeline), occupancy(schedule, timeline), {}, {}};
  for (const int op : critical_path(schedule, timeline)) {
    const auto index = static_cast<std::size_t>(op);
    takes.critical_s[static_cast<std::size_t>(schedule.ops[index].lane)] += timeline.ops[index].seconds();
  }
  if (with_traffic)
    takes.traffic = TrafficCounter(schedule, 0, even_nodes(setting.extent.world, setting.extent.node),
                                   machine.device_is_host ? AcrossNodes::two_level : AcrossNodes::direct)
                        .total();
  return takes;
}

/// One more micro-batch adds what the last one added.
Takes continued(Takes takes, const Takes& one_less, int more) {
  takes.step_s += more * (takes.step_s - one_less.step_s);
  takes.exposed_s += more * (takes.exposed_s - one_less.exposed_s);
  for (std::size_t lane = 0; lane < takes.occupied_s.size(); ++lane)
    takes.occupied_s[lane] += more * (takes.occupied_s[lane] - one_less.occupied_s[lane]),
        takes.critical_s[lane] += more * (takes.critical_s[lane] - one_less.critical_s[lane]);
  const auto times = static_cast<std::uint64_t>(more);
  takes.traffic.inside_node += times * (takes.traffic.inside_node - one_less.traffic.inside_node);
  takes.traffic.across_nodes += times * (takes.traffic.across_nodes - one_less.traffic.across_nodes);
  return takes;
}

void foretell_time(Forecast& result, const Blueprint& blueprint, const ModelWork& work,
                   const Machine& machine, const Schedule& walked, bool traffic) {
  const Setting& setting = result.setting;
  const int wanted = setting.options.micro_batches, done = walked.options.micro_batches;
  Takes takes = walk(walked, setting, work, machine, traffic);
  if (wanted > done) {
    ScheduleOptions shorter = walked.options;
    shorter.micro_batches = done - 1;
    takes = continued(takes, walk(build_schedule(blueprint.facts, shorter), setting, work, machine, traffic),
                      wanted - done);
  }
  result.step_s = takes.step_s, result.exposed_s = takes.exposed_s;
  result.occupied_s = takes.occupied_s, result.critical_s = takes.critical_s, result.traffic = takes.traffic;
  const double tokens = static_cast<double>(work.tokens) * wanted;
  result.tokens_per_s_per_gpu = tokens / result.step_s;
  const double peak =
      setting.placement.parameters.codec == Codec::fp32 ? machine.matrix_flops_fp32 : machine.matrix_flops;
  result.mfu = result.tokens_per_s_per_gpu * work.model_flops_per_token / peak;
}

}  // namespace

bool splits_vocabulary(const Placement& placement, const Extent& extent, bool trainable) {
  return placement.of_parameters(trainable).span.ranks(extent) > 1 ||
         (trainable && placement.gradients.span.ranks(extent) > 1);
}

std::uint64_t room_for_state(const Subject& subject, const Machine& machine, Setting setting) {
  // The device's memory is the host's: what stays there takes nothing that the other tier would not.
  if (machine.device_is_host) return whatever_fits - 1;
  setting.placement.device_state_bytes = 0;
  const Forecast without = forecast(subject, machine, setting, {.always_time = false, .traffic = false});
  const double left = machine.memory_bytes - machine.reserved_bytes -
                      static_cast<double>(without.memory.totals()[static_cast<std::size_t>(Tier::device)]);
  return left > 0 ? static_cast<std::uint64_t>(left) : 0;
}

Forecast forecast(const Subject& given, const Machine& machine, const Setting& wanted,
                  const ForecastOptions& options) {
  Forecast result;
  result.setting = wanted;
  if (wanted.placement.device_state_bytes == whatever_fits)
    result.setting.placement.device_state_bytes = room_for_state(given, machine, wanted);
  result.setting.options.lowers_gradients = !machine.device_is_host;
  const Setting& setting = result.setting;
  result.not_yet = missing_support(setting.placement, machine);
  const auto found = misfits(setting.placement, setting.extent);
  if (!found.empty()) {
    result.reason = fmt::format("{}; {} fits", found.front().what, found.front().nearest);
    return result;
  }
  const Subject& subject = *as_run(&given, setting);
  const Blueprint blueprint = blueprint_of(subject, machine, setting);
  const ModelWork work = subject.work(setting.rows);
  ScheduleOptions walked = setting.options;
  walked.micro_batches = std::min(walked.micro_batches, micro_batches_walked);
  // Kept graphs of a unit-major order grow with every micro-batch, so those are all walked.
  if (walked.unit_major) walked.micro_batches = setting.options.micro_batches;
  Schedule schedule = build_schedule(blueprint.facts, walked);
  result.memory = forecast_memory(blueprint, setting.placement, schedule, subject.states, work);
  if (setting.more_parts && part_bytes(blueprint.facts) > 0) {
    result.setting.options.parts_in_memory = walked.parts_in_memory =
        parts_with_room(blueprint.facts, walked, left_on_host(result.memory, machine, setting.extent));
    schedule = build_schedule(blueprint.facts, walked);
    result.memory = forecast_memory(blueprint, setting.placement, schedule, subject.states, work);
  }
  if (setting.placement.device_state_bytes) result.state_places = state_places(blueprint, subject.states);
  result.peak_at = peak_words(schedule, result.memory.peak_op);
  if (subject.saves_while_training && setting.placement.optimizer.tier != Tier::nvme)
    result.memory.standing.push_back({"copy to save", Tier::host, copy_to_save(blueprint, subject.states)});
  if (machine.communicator_bytes > 0 && !schedule.circles.empty())
    result.memory.standing.push_back(
        {"communicators", Tier::device,
         static_cast<std::uint64_t>(machine.communicator_bytes) * schedule.circles.size()});
  result.reason = shortage(result.memory, machine, setting.extent);
  result.fits = result.reason.empty();
  if (result.fits || options.always_time)
    foretell_time(result, blueprint, work, machine, schedule, options.traffic);
  return result;
}

Preview preview(const Subject& given, const Machine& machine, const Setting& wanted) {
  Setting setting = wanted;
  if (setting.placement.device_state_bytes == whatever_fits)
    setting.placement.device_state_bytes = room_for_state(given, machine, wanted);
  setting.options.lowers_gradients = !machine.device_is_host;
  const Subject& subject = *as_run(&given, setting);
  const Blueprint blueprint = blueprint_of(subject, machine, setting);
  Preview view;
  view.schedule = build_schedule(blueprint.facts, setting.options);
  const ModelWork work = subject.work(setting.rows);
  view.costs = costs_of(view.schedule, setting.placement, work, machine, setting.extent);
  view.timeline = simulate(view.schedule, view.costs, machine.sharing());
  return view;
}

}  // namespace trireme::sharding
