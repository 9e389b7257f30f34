#include "sharding/engine.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "core/error.h"
#include "sharding/arrays.h"
#include "sharding/failures.h"
#include "sharding/paging.h"
#include "sharding/predict/memory.h"
#include "sharding/predict/ring.h"
#include "sharding/room.h"
#include "sharding/state_memory.h"
#include "sharding/support.h"
#include "sharding/tensor_device.h"

namespace trireme::sharding {
namespace {

std::unique_ptr<comm::Communicator> of_all_ranks(comm::World& world, const Standing& standing,
                                                 const char* name) {
  comm::Group positions;
  positions.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(positions.ranks.begin(), positions.ranks.end(), 0);
  comm::CommunicatorOptions options;
  options.name = name;
  return world.communicator(standing.ranks_at(positions), "auto", options);
}

std::unique_ptr<comm::Communicator> of_replicas(comm::World& world, const Standing& standing,
                                                const Placement& placement) {
  const int span = placement.optimizer.span.ranks(standing.extent());
  const comm::Group positions =
      Partition(standing.extent().world, {span}).replicas(standing.position(), span);
  comm::CommunicatorOptions options;
  options.name = "replicas";
  return world.communicator(standing.ranks_at(positions), "auto", options);
}

std::vector<GroupState> make_states(const Blueprint& blueprint, int position, const Optimizer& optimizer,
                                    Tiers& tiers, const Allocate& allocate, const Slots& slices,
                                    const Slots& homes, ArrayLane& lane) {
  std::vector<GroupState> states;
  std::optional<StateMemory> memory;
  const Allocate on_device = [&](std::size_t bytes) {
    if (!memory) memory.emplace(blueprint, optimizer, lane);
    return memory->take(bytes);
  };
  for (int group = 0; group < static_cast<int>(blueprint.facts.groups.size()); ++group)
    states.emplace_back(blueprint, group, position, optimizer, tiers, allocate, on_device,
                        LentMemory{slices.has(group) ? slices.data(group) : nullptr,
                                   homes.has(group) ? homes.data(group) : nullptr},
                        lane);
  return states;
}

comm::World& hosts_of(comm::World& world, const EngineOptions& options) {
  return options.hosts ? *options.hosts : world;
}

Blueprint draw_with_tiers(const Model& model, const Placement& placement, const Extent& extent,
                          const Optimizer& optimizer, const TierOptions& options) {
  Blueprint blueprint = draw(model, placement, extent, optimizer.granule());
  page_states(blueprint, optimizer.states(), placement);
  cut_updates(blueprint, optimizer, options);
  if (options.device) meet_drives(blueprint, options.nvme_depth);
  return blueprint;
}

}  // namespace

Engine::Engine(Model model, const Placement& placement, std::unique_ptr<const Optimizer> optimizer,
               comm::World& world, EngineOptions options)
    : model_(std::move(model)),
      placement_((require_supported(placement, options.tiers.device != nullptr), placement)),
      options_(std::move(options)),
      optimizer_(std::move(optimizer)),
      standing_(world),
      circles_(world, hosts_of(world, options_), standing_,
               !options_.tiers.device && lanes_share_cores(world, options_.host_threads)),
      arrays_(options_.tiers.device),
      control_(of_all_ranks(hosts_of(world, options_), standing_, "control")),
      mover_(options_.tiers.device ? of_all_ranks(world, standing_, "memory") : nullptr),
      blueprint_(draw_with_tiers(model_, placement_, standing_.extent(), *optimizer_, options_.tiers)),
      replicas_((share_memory(world), of_replicas(hosts_of(world, options_), standing_, placement_))),
      first_schedule_(build(ScheduleOptions::Purpose::train, 1)),
      tiers_(blueprint_, standing_.position(), *optimizer_, placement_, options_.tiers,
             first_schedule_.options),
      slice_slots_(first_schedule_.slice_slots, allocator(), arrays_),
      home_slots_(first_schedule_.home_slots, beside_drives(), arrays_),
      refresh_slots_(first_schedule_.refresh_slots, beside_drives(), arrays_),
      states_(make_states(blueprint_, standing_.position(), *optimizer_, tiers_, allocator(), slice_slots_,
                          home_slots_, arrays_)),
      parameter_slots_(first_schedule_.parameter_slots, allocator(), arrays_),
      gradient_slots_(first_schedule_.gradient_slots, allocator(), arrays_),
      landing_(allocator()(landing_bytes())),
      views_(model_, blueprint_, states_, parameter_slots_, gradient_slots_,
             tensor_device(options_.tiers.device)),
      units_(model_, views_, tensor_device(options_.tiers.device)),
      executor_({blueprint_, *optimizer_, model_, states_, parameter_slots_, gradient_slots_, home_slots_,
                 refresh_slots_, units_, landing_, tiers_},
                options_.host_threads, options_.tiers.device) {
  arrays_.finish();
}

void Engine::share_memory(const comm::World& world) {
  const offload::HostLimits limits = options_.host_limits();
  const Device* device = options_.tiers.device;
  const bool device_is_host = !device || device->is_host();
  const std::uint64_t room = require_room_for_state(blueprint_, placement_, *optimizer_,
                                                    schedule_options(ScheduleOptions::Purpose::train, 1),
                                                    ranks_beside(world), device_is_host, limits, *control_);
  if (part_bytes(blueprint_.facts) == 0 || !options_.work_beside_parts) return;
  const Schedule schedule = build(ScheduleOptions::Purpose::train, 1);
  const TierBytes needs =
      forecast_memory(blueprint_, placement_, schedule, optimizer_->states(), options_.work_beside_parts())
          .totals();
  const std::uint64_t here = needs[static_cast<std::size_t>(Tier::host)] +
                             (device_is_host ? needs[static_cast<std::size_t>(Tier::device)] : 0);
  require_room_for_steps(here, ranks_beside(world), limits);
  // All ranks make the same schedule, so the least that any has room for. There is no reduction to it.
  std::int64_t fewer = -parts_with_room(blueprint_.facts, schedule.options, room - std::min(room, here));
  control_->all_reduce(&fewer, &fewer, 1, DType::i64, comm::Reduction::max);
  options_.tiers.parts_in_memory = static_cast<int>(-fewer);
}

Allocate Engine::allocator() {
  return [this](std::size_t bytes) {
    ++allocations_;
    return (mover_ ? *mover_ : *control_).allocate(bytes);
  };
}

/// Of the memory that computes: whole pages, which drives reach.
Allocate Engine::beside_drives() {
  return [this](std::size_t bytes) {
    const std::size_t page = mover_ ? sector : page_beside_drives(bytes);
    const auto taken = std::make_shared<comm::Buffer>(allocator()(bytes + page));
    auto* begin = taken->as<std::byte>();
    begin += (page - reinterpret_cast<std::uintptr_t>(begin) % page) % page;
    StatePipe* const pipe = tiers_.pipe();
    pipe->register_memory({begin, bytes});
    return comm::Buffer(begin, bytes, [taken, pipe, begin, bytes] { pipe->forget_memory({begin, bytes}); });
  };
}

std::size_t Engine::landing_bytes() const {
  // Only what comes out of a slot a second time lands before it is added.
  std::int64_t most = 1;
  if (first_schedule_.options.gradients_vanish()) return sizeof(float);
  for (std::size_t i = 0; i < states_.size(); ++i)
    if (model_.groups[i].trainable && blueprint_.group(static_cast<int>(i)).gradients > 1)
      most = std::max(most, states_[i].gradient_elements());
  return static_cast<std::size_t>(most) * sizeof(float);
}

ScheduleOptions Engine::schedule_options(ScheduleOptions::Purpose purpose, int micro_batches) const {
  ScheduleOptions options;
  options.purpose = purpose;
  options.micro_batches = micro_batches;
  options.prefetch_depth = options_.prefetch_depth;
  options.reduce_depth = options_.reduce_depth;
  options.unit_major = options_.unit_major;
  options.activations = placement_.activations;
  options.input_tier = placement_.activation_tier;
  options.input_depth = options_.input_depth;
  options.update_when_reduced = options_.update_when_reduced;
  options.keeps_gradients = options_.keeps_gradients;
  options.lowers_gradients = options_.tiers.device != nullptr;
  options.parts_in_memory = options_.tiers.parts_in_memory;
  return options;
}

Schedule Engine::build(ScheduleOptions::Purpose purpose, int micro_batches) const {
  return build_schedule(blueprint_.facts, schedule_options(purpose, micro_batches));
}

Engine::Prepared& Engine::prepared(ScheduleOptions::Purpose purpose, int micro_batches) {
  for (const auto& made : prepared_)
    if (made->schedule.options.purpose == purpose && made->schedule.options.micro_batches == micro_batches)
      return *made;
  auto made = std::make_unique<Prepared>(Prepared{build(purpose, micro_batches), {}});
  require(purpose == ScheduleOptions::Purpose::evaluate ||
              made->schedule.options.gradients_vanish() == first_schedule_.options.gradients_vanish(),
          "steps of {} micro-batches add to gradients that have no memory of their own", micro_batches);
  validate(made->schedule);
  agree_on(made->schedule);
  made->channels = circles_.of(made->schedule);
  prepared_.push_back(std::move(made));
  return *prepared_.back();
}

/// Ranks with different schedules would wait for each other for ever.
void Engine::agree_on(const Schedule& schedule) {
  const auto mine = static_cast<std::int64_t>(hash_of(schedule));
  std::vector<std::int64_t> all(static_cast<std::size_t>(control_->size()));
  control_->all_gather(&mine, all.data(), comm::Shards::even(1, control_->size()), DType::i64);
  const auto other = std::find_if(all.begin(), all.end(), [&](std::int64_t hash) { return hash != mine; });
  if (other != all.end())
    fail(ExitCode::configuration,
         "rank {} has made another schedule than this rank: give every rank the same job and model",
         control_->group().ranks[static_cast<std::size_t>(other - all.begin())]);
}

void Engine::publish() {
  Prepared& step = prepared(ScheduleOptions::Purpose::train, 1);
  executor_.publish(step.schedule, step.channels);
}

StepResult Engine::train(const StepInput& input) {
  Prepared& step = prepared(ScheduleOptions::Purpose::train, static_cast<int>(input.micro_batches.size()));
  return agreed(executor_.run(step.schedule, step.channels, input));
}

StepResult Engine::run(const Schedule& schedule, const StepInput& input) {
  return agreed(executor_.run(schedule, circles_.of(schedule), input));
}

std::string Engine::find_not_finite(StepInput input) {
  input.inspect = true;
  train(input);
  const std::optional<NotFinite>& found = units_.not_finite();
  if (!found) return {};
  return fmt::format("{} of {} in micro-batch {}", found->what,
                     model_.units[static_cast<std::size_t>(found->unit)]->name(), found->micro_batch + 1);
}

double Engine::evaluate(const std::vector<Context>& micro_batches) {
  Prepared& pass = prepared(ScheduleOptions::Purpose::evaluate, static_cast<int>(micro_batches.size()));
  StepInput input;
  input.micro_batches = micro_batches;
  Outcome outcome = executor_.run(pass.schedule, pass.channels, input);
  std::array<double, 2> totals{outcome.result.loss, static_cast<double>(outcome.failed_ranks)};
  if (!outcome.cut_off)
    control_->all_reduce(totals.data(), totals.data(), totals.size(), DType::f64, comm::Reduction::sum);
  outcome.result.loss = totals[0];
  outcome.failed_ranks = static_cast<int>(totals[1]);
  return agreed(outcome).loss;
}

Activation Engine::infer(const Context& context) {
  Prepared& pass = prepared(ScheduleOptions::Purpose::evaluate, 1);
  StepInput input;
  input.micro_batches = {context};
  Outcome outcome = executor_.run(pass.schedule, pass.channels, input);
  double failed = outcome.failed_ranks;
  if (!outcome.cut_off) control_->all_reduce(&failed, &failed, 1, DType::f64, comm::Reduction::sum);
  outcome.failed_ranks = static_cast<int>(failed);
  agreed(outcome);
  return units_.output(0);
}

StepResult Engine::agreed(const Outcome& outcome) {
  if (outcome.cut_off) std::rethrow_exception(outcome.failure);
  if (outcome.failed_ranks > 0) throw_first_failure(*control_, outcome.failure);
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  return outcome.result;
}

void Engine::for_each_slice(const std::function<void(const StateSlice&)>& visit) {
  const auto kinds = optimizer_->states();
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const ParamGroup& group = model_.groups[i];
    GroupState& state = states_[i];
    for (const Piece& piece : group.trainable ? state.optimizer_pieces() : state.parameter_pieces()) {
      const Parameter& parameter = group.parameters[static_cast<std::size_t>(piece.parameter)];
      StateSlice slice{parameter.part_of ? parameter.part_of.get() : &parameter, "parameter",
                       parameter.first + piece.begin, piece.count};
      const GroupFacts& facts = blueprint_.group(static_cast<int>(i));
      slice.replica = group.trainable ? state.optimizer_replica() : state.parameter_replica();
      slice.replicas = blueprint_.facts.world / (group.trainable ? facts.optimizer : facts.parameters);
      slice.trainable = group.trainable;
      slice.group = static_cast<int>(i);
      slice.lane = arrays_.on_device() ? &arrays_ : nullptr;
      slice.pipe = tiers_.pipe();
      slice.dtype = group.trainable ? DType::f32 : state.stored();
      if (group.trainable) {
        const MasterValues masters = state.masters().from(piece.at);
        slice.data = reinterpret_cast<std::byte*>(masters.whole);
        if (!masters.whole) slice.halves = masters;
      } else {
        slice.data = offset_by(state.home_at_rest(), piece.at, state.stored());
      }
      visit(slice);
      for (std::size_t k = 0; k < state.state_count(); ++k) {
        StateSlice kept = slice;
        kept.halves = {};
        kept.state = kinds[k].name, kept.dtype = kinds[k].dtype;
        kept.elements_each = kinds[k].elements_each;
        kept.begin = slice.begin / kinds[k].elements_each;
        kept.count = (piece.count + kinds[k].elements_each - 1) / kinds[k].elements_each;
        kept.data = offset_by(state.state(k), piece.at / kinds[k].elements_each, kinds[k].dtype);
        visit(kept);
      }
    }
  }
}

MemoryUse Engine::memory() const {
  MemoryUse use;
  for (const GroupState& state : states_)
    use.states += state.bytes(), use.host_gradients += state.host_bytes();
  use.parameter_slots = parameter_slots_.bytes() + home_slots_.bytes() + refresh_slots_.bytes();
  use.gradient_slots = gradient_slots_.bytes() + slice_slots_.bytes();
  use.landing = landing_.bytes();
  use.wires = circles_.room();
  use.tiers = tiers_.use();
  return use;
}

}  // namespace trireme::sharding
