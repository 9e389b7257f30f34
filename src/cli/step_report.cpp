#include "cli/step_report.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "cli/engine_options.h"
#include "cli/lora.h"
#include "core/bytes.h"
#include "core/error.h"
#include "model/work.h"
#include "sharding/predict/picture.h"

namespace trireme::cli {
namespace {

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) fail(ExitCode::configuration, "{}: cannot be written", path.string());
}

void print_pair(std::string_view what, double foretold, double measured) {
  fmt::print("  {:22} {:>12.6f} {:>12.6f}", what, foretold, measured);
  if (measured > 0) fmt::print(" {:>+8.1f}%", 100 * (foretold / measured - 1));
  fmt::print("\n");
}

void print_bytes(std::string_view what, std::uint64_t foretold, std::uint64_t measured) {
  fmt::print("  {:22} {:>12} {:>12}", what, human_bytes(static_cast<double>(foretold)),
             human_bytes(static_cast<double>(measured)));
  if (measured > 0)
    fmt::print(" {:>+8.1f}%", 100 * (static_cast<double>(foretold) / static_cast<double>(measured) - 1));
  fmt::print("\n");
}

void print_memory(const sharding::MemoryForecast& foretold, const sharding::MemoryUse& memory,
                  std::size_t tensor_peak) {
  fmt::print("memory of rank 0       {:>14} {:>12}\n", "foretold", "measured");
  const auto on = [](const std::vector<sharding::MemoryLine>& lines, sharding::Tier tier) {
    std::uint64_t bytes = 0;
    for (const sharding::MemoryLine& line : lines)
      if (line.tier == tier) bytes += line.bytes;
    return bytes;
  };
  const std::uint64_t slots = foretold.of("parameter slots") + foretold.of("gradient slots"),
                      passing = on(foretold.passing, sharding::Tier::device);
  std::uint64_t states = 0;
  for (const sharding::MemoryLine& line : foretold.standing)
    if (line.tier == sharding::Tier::device && line.what != "landing" && line.what != "wire buffers")
      states += line.bytes;
  print_bytes("state", states - slots, memory.states);
  print_bytes("slots", slots, memory.parameter_slots + memory.gradient_slots);
  if (memory.wires > 0) print_bytes("wire buffers", foretold.of("wire buffers"), memory.wires);
  if (passing > 0 && tensor_peak > 0) print_bytes("activations, at most", passing, tensor_peak);
  for (const auto& [tier, measured_bytes] :
       {std::pair{sharding::Tier::host, memory.host()}, {sharding::Tier::nvme, memory.tiers.nvme}})
    if (const std::uint64_t bytes = on(foretold.standing, tier) + on(foretold.passing, tier);
        bytes + measured_bytes > 0)
      print_bytes(name_of(tier), bytes, measured_bytes);
}

}  // namespace

boost::json::object json_of_waits(const HostWaits& waits) {
  return {{"streams", waits.streams}, {"memory", waits.memory}, {"tensors", waits.tensors}};
}

sharding::Extent extent_of(const comm::World& world) {
  std::map<int, int> ranks_of_node;
  for (const int node : world.node_of_rank()) ++ranks_of_node[node];
  const int each = ranks_of_node.begin()->second;
  const bool uniform = std::all_of(ranks_of_node.begin(), ranks_of_node.end(),
                                   [&](const auto& node) { return node.second == each; });
  return {world.size(), uniform ? each : 1};
}

StepReport foretell_step(const jobs::JobSpec& job, LoadedModel& model, const comm::World& world,
                         const train::BatchShape& shape, const sharding::Machine& machine) {
  sharding::Engine& engine = model.engine();
  const sharding::Setting setting = setting_here(job, world, model.compute());
  StepReport report;
  report.schedule = engine.schedule(sharding::ScheduleOptions::Purpose::train, shape.micro_batches);
  const auto work =
      model::work_of(model.spec(), work_shape(job, model.spec(), model.compute()), lora_of(job));
  report.memory =
      forecast_memory(engine.blueprint(), setting.placement, report.schedule, states_of(job), work);
  const auto costs = costs_of(report.schedule, setting.placement, work, machine, setting.extent);
  report.foretold = simulate(report.schedule, costs, machine.sharing());
  return report;
}

std::vector<sharding::Timeline> gather_timelines(comm::Communicator& control,
                                                 const sharding::Timeline& mine) {
  const std::size_t ops = mine.ops.size();
  std::vector<double> sent, all(2 * ops * static_cast<std::size_t>(control.size()));
  for (const sharding::Interval& op : mine.ops) sent.insert(sent.end(), {op.begin_s, op.end_s});
  control.all_gather(sent.data(), all.data(), comm::Shards::even(2 * ops, control.size()), DType::f64);
  std::vector<sharding::Timeline> timelines(static_cast<std::size_t>(control.size()));
  for (std::size_t rank = 0; rank < timelines.size(); ++rank)
    for (std::size_t op = 0; op < ops; ++op) {
      const double* times = all.data() + 2 * (rank * ops + op);
      timelines[rank].ops.push_back({times[0], times[1]});
    }
  return timelines;
}

void print_step(const StepReport& report, const sharding::MemoryUse& memory, std::size_t tensor_peak) {
  const sharding::Timeline& measured = report.measured.front();
  fmt::print("a step on rank 0       {:>14} {:>12}\n", "foretold s", "measured s");
  print_pair("step", report.foretold.step_s(), measured.step_s());
  const auto foretold_lanes = occupancy(report.schedule, report.foretold);
  const auto measured_lanes = occupancy(report.schedule, measured);
  for (std::size_t lane = 0; lane < foretold_lanes.size(); ++lane)
    if (measured_lanes[lane] > 0)
      print_pair(name_of(static_cast<sharding::OpLane>(lane)), foretold_lanes[lane], measured_lanes[lane]);
  print_pair("exposed collectives", exposed_communication(report.schedule, report.foretold),
             exposed_communication(report.schedule, measured));
  if (report.waits)
    fmt::print("  {:22} {} for streams, {} for memory, {} in LibTorch\n", "the host waited",
               report.waits->streams, report.waits->memory, report.waits->tensors);
  print_memory(report.memory, memory, tensor_peak);
}

void write_step(const StepReport& report, const std::string& path) {
  std::vector<sharding::Track> tracks;
  for (std::size_t rank = 0; rank < report.measured.size(); ++rank)
    tracks.push_back({"measured", static_cast<int>(rank), &report.schedule, &report.measured[rank]});
  tracks.push_back({"foretold", 0, &report.schedule, &report.foretold});
  write_text(path, sharding::chrome_trace(tracks));
  write_text(std::filesystem::path(path).replace_extension(".svg"),
             sharding::gantt_svg({tracks.front(), tracks.back()}));
}

}  // namespace trireme::cli
