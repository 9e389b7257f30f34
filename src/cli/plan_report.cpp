#include <algorithm>
#include <boost/json.hpp>
#include <numeric>

#include <fmt/format.h>

#include "cli/plan.h"
#include "core/bytes.h"
#include "sharding/layout.h"

namespace trireme::cli {
namespace {

using sharding::Forecast;
using sharding::Tier;

constexpr double gibi = 1024.0 * 1024 * 1024;

std::uint64_t bytes_in(const Forecast& forecast, Tier tier) {
  return forecast.memory.totals()[static_cast<std::size_t>(tier)];
}
std::string human(std::uint64_t bytes) {
  return human_bytes(static_cast<double>(bytes));
}

/// What waits on the host though its placement's name does not say so.
std::string on_the_host(const Forecast& forecast) {
  const sharding::Placement& placement = forecast.setting.placement;
  std::string words;
  if (placement.activation_tier == Tier::host) words += "  unit inputs on the host";
  if (placement.device_state_bytes) words += "  optimizer state on the host where it does not fit";
  return words;
}

void print_row(const Forecast& forecast) {
  const auto& options = forecast.setting.options;
  fmt::print("{:14} {:>5} {:>5}  {:27} {:17} {:>5}  {:>10} {:>10}", forecast.setting.placement.name,
             forecast.setting.rows, options.micro_batches, name_of(options.activations),
             options.unit_major ? "unit_major" : "micro_batch_major", options.prefetch_depth,
             human(bytes_in(forecast, Tier::device)), human(bytes_in(forecast, Tier::host)));
  if (forecast.fits) {
    fmt::print("  {:>8.4g} {:>10.1f} {:>5.1f}% {:>7.1f}%{}{}\n", forecast.step_s,
               forecast.tokens_per_s_per_gpu, 100 * forecast.mfu, 100 * forecast.exposed_s / forecast.step_s,
               on_the_host(forecast), forecast.not_yet.empty() ? "" : "  foretold only");
  } else {
    fmt::print("  does not fit: {}\n", forecast.reason);
  }
}

void print_head() {
  fmt::print("{:14} {:>5} {:>5}  {:27} {:17} {:>5}  {:>10} {:>10}  {:>8} {:>10} {:>6} {:>8}\n", "placement",
             "micro", "accum", "activations", "order", "depth", "device", "host", "step s", "tok/s/rank",
             "MFU", "exposed");
}

}  // namespace

void print_ranking(const sharding::Ranking& ranking) {
  fmt::print("{} settings tried; the best of each placement, the fastest first\n", ranking.settings_tried);
  print_head();
  for (const Forecast& forecast : ranking.fitting) print_row(forecast);
  for (const Forecast& forecast : ranking.lacking) print_row(forecast);
  for (const Forecast& forecast : ranking.fitting)
    if (!forecast.not_yet.empty()) fmt::print("foretold only: {}\n", forecast.not_yet);
}

void print_forecast(const Forecast& forecast, const sharding::Machine& machine) {
  print_head();
  print_row(forecast);
  fmt::print("\nmemory of one rank at its peak{}{} ({} on {})\n", forecast.peak_at.empty() ? "" : ", ",
             forecast.peak_at, human_bytes(machine.memory_bytes), machine.device);
  for (const auto* lines : {&forecast.memory.standing, &forecast.memory.passing})
    for (const sharding::MemoryLine& line : *lines)
      fmt::print("  {:20} {:7} {:>12}\n", line.what, name_of(line.tier), human(line.bytes));
  if (!forecast.state_places.empty()) fmt::print("\noptimizer state by group\n");
  for (const sharding::StatePlace& place : forecast.state_places)
    fmt::print("  {:20} {:7} {:>12}\n", place.group, name_of(place.tier), human(place.bytes));
  if (!forecast.fits && forecast.step_s == 0) return;
  fmt::print("\nlanes of a step of {:.4g} s: busy, and on the critical path\n", forecast.step_s);
  for (int lane = 0; lane < sharding::lane_count; ++lane) {
    const double seconds = forecast.occupied_s[static_cast<std::size_t>(lane)];
    const double critical = forecast.critical_s[static_cast<std::size_t>(lane)];
    if (seconds > 0)
      fmt::print("  {:20} {:>10.4g} s {:>6.1f}% {:>10.4g} s {:>6.1f}%\n",
                 name_of(static_cast<sharding::OpLane>(lane)), seconds, 100 * seconds / forecast.step_s,
                 critical, 100 * critical / forecast.step_s);
  }
  fmt::print("  {:20} {:>10.4g} s {:>6.1f}%\n", "exposed collectives", forecast.exposed_s,
             100 * forecast.exposed_s / forecast.step_s);
}

std::string json_of(const Forecast& forecast) {
  boost::json::object line;
  line["placement"] = forecast.setting.placement.name;
  line["ranks"] = forecast.setting.extent.world;
  line["ranks_per_node"] = forecast.setting.extent.node;
  line["micro_batch_size"] = forecast.setting.rows;
  line["gradient_accumulation_steps"] = forecast.setting.options.micro_batches;
  line["activations"] = name_of(forecast.setting.options.activations);
  line["activation_tier"] = name_of(forecast.setting.placement.activation_tier);
  line["optimizer_tier"] = name_of(forecast.setting.placement.optimizer.tier);
  line["state_is_paged"] = forecast.setting.placement.device_state_bytes.has_value();
  line["order"] = forecast.setting.options.unit_major ? "unit_major" : "micro_batch_major";
  line["prefetch_depth"] = forecast.setting.options.prefetch_depth;
  line["reduce_depth"] = forecast.setting.options.reduce_depth;
  line["fits"] = forecast.fits;
  if (!forecast.reason.empty()) line["reason"] = forecast.reason;
  if (!forecast.not_yet.empty()) line["foretold_only"] = forecast.not_yet;
  line["peak_bytes"] = {{"device", bytes_in(forecast, Tier::device)},
                        {"host", bytes_in(forecast, Tier::host)},
                        {"nvme", bytes_in(forecast, Tier::nvme)}};
  boost::json::object memory;
  for (const auto* lines : {&forecast.memory.standing, &forecast.memory.passing})
    for (const sharding::MemoryLine& each : *lines) memory[each.what] = each.bytes;
  line["memory"] = std::move(memory);
  if (!forecast.state_places.empty()) {
    boost::json::array places;
    for (const sharding::StatePlace& place : forecast.state_places)
      places.push_back({{"group", place.group}, {"tier", name_of(place.tier)}, {"bytes", place.bytes}});
    line["state_places"] = std::move(places);
  }
  line["peak_at"] = forecast.peak_at;
  line["step_s"] = forecast.step_s;
  boost::json::object critical;
  for (int lane = 0; lane < sharding::lane_count; ++lane)
    if (const double seconds = forecast.critical_s[static_cast<std::size_t>(lane)]; seconds > 0)
      critical[name_of(static_cast<sharding::OpLane>(lane))] = seconds;
  line["critical_path_s"] = std::move(critical);
  line["tokens_per_s_per_gpu"] = forecast.tokens_per_s_per_gpu;
  line["mfu"] = forecast.mfu;
  line["exposed_comm_s"] = forecast.exposed_s;
  line["bytes_inside_node"] = forecast.traffic.inside_node;
  line["bytes_across_nodes"] = forecast.traffic.across_nodes;
  return boost::json::serialize(line);
}

void print_deepspeed_estimates(const sharding::Model& model, int nodes, int gpus_per_node) {
  double total = 0, largest = 0;
  for (const sharding::ParamGroup& group : model.groups)
    for (const sharding::Parameter& parameter : group.parameters) {
      const auto elements = static_cast<double>(sharding::element_count(parameter));
      total += elements, largest = std::max(largest, elements);
    }
  constexpr double buffers = 1.5;
  const double gpus = static_cast<double>(nodes) * gpus_per_node, share = 1.0 / nodes;
  fmt::print(
      "\nDeepSpeed's estimates for parameters, gradients and optimizer state, GiB\n  {:>9} {:>9}  {}\n",
      "per CPU", "per GPU", "options");
  const auto row = [&](double cpu, double gpu, const char* options) {
    fmt::print("  {:>9.2f} {:>9.2f}  {}\n", cpu / gibi, gpu / gibi, options);
  };
  row(total * std::max(4 * gpus, 16.0) * buffers, 2 * total, "ZeRO-2 offload_optimizer=cpu");
  row(total * 4 * gpus_per_node * buffers, 4 * total + 16 * total / gpus, "ZeRO-2 offload_optimizer=none");
  row(total * 18 * share * buffers, 4 * largest,
      "ZeRO-3 offload_param=cpu offload_optimizer=cpu zero_init=1");
  row(total * 16 * share * buffers, 4 * largest + 2 * total / gpus,
      "ZeRO-3 offload_param=none offload_optimizer=cpu zero_init=1");
  row(largest * 4 * gpus_per_node * buffers, 4 * largest + 18 * total / gpus,
      "ZeRO-3 offload_param=none offload_optimizer=none zero_init=1");
}

}  // namespace trireme::cli
