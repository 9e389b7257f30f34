#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "cli/compute_settings.h"
#include "cli/engine_options.h"
#include "cli/job_words.h"
#include "cli/known_gpu.h"
#include "cli/loaded_model.h"
#include "cli/lora.h"
#include "cli/plan.h"
#include "cli/step_report.h"
#include "cli/vocabulary.h"
#include "comm/mpi/mpi_world.h"
#include "core/error.h"
#include "core/log.h"
#include "model/build.h"
#include "model/quantised_groups.h"
#include "model/work.h"
#include "optim/adamw.h"
#include "sharding/layout.h"
#include "sharding/predict/recorder.h"

namespace trireme::cli {
namespace {

struct Words {
  JobWords job;
  MachineWords machine;
  std::string compute = "none", only = "collectives", trace;
  /// That it runs on.
  std::string device = "cpu";
  int steps = 5;
  std::int64_t scale = 1;
  bool json = false;
};

/// A model whose parameters are `scale` times fewer: the schedule is the same, its bytes are not.
sharding::Model scaled(sharding::Model model, const sharding::Placement& placement, std::int64_t scale) {
  if (placement.of_parameters(false).codec == sharding::Codec::nf4) model::shrink_to_nf4(model);
  if (scale == 1) return model;
  for (sharding::ParamGroup& group : model.groups)
    for (sharding::Parameter& parameter : group.parameters)
      parameter.shape = {std::max<std::int64_t>(1, sharding::element_count(parameter) / scale)};
  return model;
}

/// A step of a job's schedule on real communicators, with computation left out or imitated by waiting.
class Replay {
 public:
  Replay(const Words& words, const jobs::JobSpec& job, const Worlds& worlds)
      : words_(words),
        codec_(compute_type(job)),
        setting_(setting_here(job, worlds.hosts, codec_)),
        spec_(
            with_chunks(spec_of(job.base_model, job.sequence_len), job, setting_.placement, setting_.extent)),
        engine_(scaled(model::build_model(spec_, scalar_type(codec_), lora_of(job)), setting_.placement,
                       words.scale),
                setting_.placement, std::make_unique<optim::AdamW>(optim::AdamWSettings{}), worlds.computing,
                engine_options(job, worlds, spec_, codec_)) {
    const sharding::Schedule& schedule =
        engine_.schedule(sharding::ScheduleOptions::Purpose::train, setting_.options.micro_batches);
    report_.schedule = schedule;
    const auto work = model::work_of(spec_, work_shape(job, spec_, codec_), lora_of(job));
    const sharding::Machine machine = machine_of(words.machine);
    for (const sharding::UnitWork& unit : work.units)
      input_bytes_.push_back(unit.input_bytes / static_cast<std::uint64_t>(words.scale));
    costs_ = costs_of(schedule, setting_.placement, work, machine, setting_.extent);
    for (std::size_t i = 0; i < costs_.size(); ++i) costs_[i] = replayed(schedule.ops[i], costs_[i], machine);
    // What computes only waits, and so takes no core from anybody.
    report_.foretold = simulate(schedule, costs_);
    report_.memory =
        forecast_memory(engine_.blueprint(), setting_.placement, schedule, optim::AdamW({}).states(), {});
    const auto across =
        machine.device_is_host ? sharding::AcrossNodes::two_level : sharding::AcrossNodes::direct;
    foretold_traffic_ =
        sharding::TrafficCounter(schedule, worlds.hosts.rank(), worlds.hosts.node_of_rank(), across).total();
    if (words.only != "collectives") foretold_traffic_ = {};
  }

  /// The median step.
  StepReport run() {
    sharding::Rehearsal rehearsal;
    rehearsal.compute = [this](const sharding::Schedule&, int op) {
      const double seconds = costs_[static_cast<std::size_t>(op)].seconds();
      if (seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    };
    rehearsal.input_bytes = input_bytes_;
    rehearsal.without_collectives = words_.only != "collectives";
    engine_.executor().rehearse(rehearsal);
    sharding::StepInput input;
    input.micro_batches.resize(static_cast<std::size_t>(setting_.options.micro_batches));
    sharding::StepRecorder recorder(engine_.executor());
    std::vector<sharding::Timeline> steps;
    constexpr int warm_up = 2;
    for (int step = 0; step < words_.steps + warm_up; ++step) {
      engine_.control().barrier();
      recorder.begin(report_.schedule);
      engine_.train(input);
      if (step >= warm_up) steps.push_back(recorder.timeline());
      if (compute_device()) report_.waits = recorder.waits();
    }
    traffic_ = engine_.traffic();
    std::sort(steps.begin(), steps.end(),
              [](const auto& a, const auto& b) { return a.step_s() < b.step_s(); });
    report_.measured = gather_timelines(engine_.control(), steps[steps.size() / 2]);
    return report_;
  }
  const sharding::Setting& setting() const { return setting_; }
  comm::Traffic foretold_traffic() const { return foretold_traffic_; }
  sharding::MemoryUse memory() const { return engine_.memory(); }
  /// Of one step of this rank.
  comm::Traffic traffic() const {
    const auto steps = static_cast<std::uint64_t>(words_.steps) + 2;
    return {traffic_.inside_node / steps, traffic_.across_nodes / steps};
  }

 private:
  /// What of an op's cost the replay has: collectives and transfers as they are, computation as it is
  /// imitated.
  sharding::OpCost replayed(const sharding::Op& op, const sharding::OpCost& cost,
                            const sharding::Machine& machine) const {
    using sharding::OpKind;
    if (op.lane == sharding::OpLane::nvme) return cost;
    const auto scale = static_cast<double>(words_.scale);
    if (op.kind == OpKind::park || op.kind == OpKind::recall || op.kind == OpKind::lower ||
        op.kind == OpKind::lift)
      return {cost.delay_s / scale, cost.work_s / scale, cost.carrier};
    const bool moves = is_communication(op) && words_.only == "collectives";
    if (op.kind == OpKind::norm && moves) {
      const auto circle = static_cast<std::size_t>(op.communicator);
      const int node = setting_.extent.node;
      return collective_cost(machine, reach_of(report_.schedule.circles[circle], node), node, 0, 2);
    }
    if (is_communication(op) || op.kind == OpKind::norm) return moves ? cost : sharding::OpCost{};
    if (op.kind == OpKind::stash) return cost;
    if (words_.compute == "none") return {};
    return {cost.delay_s / scale, cost.work_s / scale, cost.carrier};
  }

  const Words& words_;
  sharding::Codec codec_;
  sharding::Setting setting_;
  model::ModelSpec spec_;
  sharding::Engine engine_;
  std::vector<sharding::OpCost> costs_;
  std::vector<std::uint64_t> input_bytes_;
  StepReport report_;
  comm::Traffic traffic_, foretold_traffic_;
};

std::string json_of(const StepReport& report, const Replay& replay, const Words& words) {
  const sharding::Timeline& measured = report.measured.front();
  boost::json::object line{
      {"device", words.device},
      {"placement", replay.setting().placement.name},
      {"ranks", replay.setting().extent.world},
      {"ranks_per_node", replay.setting().extent.node},
      {"compute", words.compute},
      {"scale", words.scale},
      {"foretold_step_s", report.foretold.step_s()},
      {"measured_step_s", measured.step_s()},
      {"foretold_exposed_comm_s", exposed_communication(report.schedule, report.foretold)},
      {"measured_exposed_comm_s", exposed_communication(report.schedule, measured)},
      {"bytes_inside_node", replay.traffic().inside_node},
      {"bytes_across_nodes", replay.traffic().across_nodes},
      {"foretold_bytes_inside_node", replay.foretold_traffic().inside_node},
      {"foretold_bytes_across_nodes", replay.foretold_traffic().across_nodes}};
  if (report.waits) line["host_waits"] = json_of_waits(*report.waits);
  return boost::json::serialize(line);
}

int bench_schedule(Words words) {
  if (words.only != "collectives" && words.only != "computation" && words.only != "tiers")
    fail(ExitCode::usage, "--only is collectives, computation or tiers, not \"{}\"", words.only);
  if (words.only == "computation") words.compute = "planned";
  if (words.compute != "none" && words.compute != "planned")
    fail(ExitCode::usage, "--compute is none or planned, not \"{}\"", words.compute);
  const comm::MpiRuntime runtime(nullptr, nullptr);
  log::configure(fmt::format("rank {}", runtime.rank()), log::Level::info);
  const jobs::JobSpec job = load(words.job);
  Ranks ranks(runtime, job);
  prepare_to_compute(job, ranks);
  if (ranks.device()) words.device = ranks.device()->info().name;
  words.machine.gpu = table_row(ranks.device());
  const sharding::Extent extent = extent_of(ranks.hosts());
  words.machine.nodes = extent.world / extent.node, words.machine.gpus_per_node = extent.node;
  Replay replay(words, job, ranks.worlds());
  const StepReport report = replay.run();
  if (runtime.rank() != 0) return 0;
  if (words.json) {
    fmt::print("{}\n", json_of(report, replay, words));
  } else {
    fmt::print("on {}\n", words.device);
    print_step(report, replay.memory(), 0);
    fmt::print("bytes that rank 0 sends in a step\n  {:22} {:>12} {:>12}\n  {:22} {:>12} {:>12}\n",
               "inside its node", replay.foretold_traffic().inside_node, replay.traffic().inside_node,
               "to other nodes", replay.foretold_traffic().across_nodes, replay.traffic().across_nodes);
  }
  if (!words.trace.empty()) write_step(report, words.trace);
  return 0;
}

}  // namespace

void add_bench_schedule(Command bench) {
  Command command = bench.subcommand(
      "schedule", "Replay a job's schedule on the ranks' real links, without its computation");
  auto words = std::make_shared<Words>();
  add_job_words(command, words->job);
  command.option("--compute", words->compute,
                 "none: collectives alone; planned: lanes wait as long as computation is foretold to take");
  command.option("--only", words->only,
                 "collectives: what the network allows; computation: what is foretold of it; tiers: what the "
                 "drives allow");
  command.option("--steps", words->steps, "How many steps to take the median of").within(1, 1000);
  command.option("--scale", words->scale, "Divide all bytes and computing times by this")
      .within(std::int64_t{1}, std::int64_t{1} << 30);
  command.option("--machine", words->machine.file, "Figures of this machine, from `bench machine`");
  command.option("--calibrate", words->machine.calibrate,
                 "Links and tiers as `bench comm --json` and `bench tier --json` found them");
  command.option("--set", words->machine.figures, "One figure: inside_gb_s=8");
  command.option("--trace", words->trace, "Write measured and foretold lanes in Chrome's trace format");
  command.flag("--json", words->json, "One object");
  command.footer("Example: mpirun -n 4 trireme bench schedule job.yaml placement=zero3 --compute planned");
  command.runs([words] { return bench_schedule(*words); });
}

}  // namespace trireme::cli
