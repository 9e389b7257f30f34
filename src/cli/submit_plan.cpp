#include "cli/submit_plan.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include "cli/plan.h"
#include "core/bytes.h"
#include "core/error.h"
#include "slurm/nodes.h"

namespace trireme::cli {
namespace {

using sharding::Forecast;
using sharding::Tier;

std::string device_bytes(const Forecast& forecast) {
  return human_bytes(static_cast<double>(forecast.memory.totals()[static_cast<std::size_t>(Tier::device)]));
}

/// A row of the table for Slurm's "h100" or "a100_80gb"; the smallest where several have that name.
std::string known_as(std::string type) {
  std::replace(type.begin(), type.end(), '_', '-');
  if (type.ends_with("gb")) type.pop_back();
  for (const std::string_view device : sharding::known_devices())
    if (device == type || device.starts_with(type + "-")) return std::string(device);
  return "";
}

/// Nothing where nobody says what the nodes are.
std::optional<MachineWords> machine_words(const jobs::JobSpec& job,
                                          const std::optional<slurm::NodeFacts>& facts) {
  MachineWords words;
  words.nodes = static_cast<int>(job.slurm.nodes);
  words.gpus_per_node = static_cast<int>(job.slurm.ranks_per_node);
  words.gpu = job.slurm.gpu;
  if (words.gpu.empty() && job.slurm.gpus_per_node == 0) words.gpu = "cpu";
  if (words.gpu.empty() && facts) words.gpu = known_as(facts->gpu);
  if (words.gpu.empty()) return std::nullopt;
  return words;
}

/// The host memory of each node: what the job asks for, else what Slurm says its nodes have.
std::optional<double> node_memory(const jobs::JobSpec& job, const std::optional<slurm::NodeFacts>& facts) {
  constexpr double mebi = 1024 * 1024;
  if (!job.slurm.memory_per_node.empty()) return slurm::bytes_of_memory(job.slurm.memory_per_node);
  if (facts && facts->memory_megabytes > 1) return static_cast<double>(facts->memory_megabytes) * mebi;
  return std::nullopt;
}

/// The words that turn the job into what is foretold.
std::string words_of(const Forecast& forecast) {
  const auto& options = forecast.setting.options;
  const sharding::Placement& placement = forecast.setting.placement;
  // "zero3 with changes": the job says the changes already.
  const std::string_view preset = std::string_view(placement.name).substr(0, placement.name.find(' '));
  std::string words =
      fmt::format("placement={} placement.activations={} micro_batch_size={} gradient_accumulation_steps={}",
                  preset, name_of(options.activations), forecast.setting.rows, options.micro_batches);
  if (placement.activation_tier != Tier::device)
    words += fmt::format(" placement.activation_tier={}", name_of(placement.activation_tier));
  if (placement.device_state_bytes)
    words += fmt::format(" placement.optimizer.tier={} placement.optimizer.device_bytes=auto",
                         name_of(placement.optimizer.tier));
  return words;
}

}  // namespace

void foretell(jobs::JobSpec& job) {
  const auto note = [&](std::string why) { job.notes.push_back(fmt::format("plan: not made, {}", why)); };
  std::error_code unseen;
  if (!std::filesystem::exists(job.base_model, unseen))
    return note(fmt::format("{} is not to be seen from here", job.base_model));
  const auto facts = slurm::node_facts(job.slurm.partition);
  const auto words = machine_words(job, facts);
  if (!words) return note("nobody says which GPUs these are; set slurm.gpu");
  sharding::Machine machine = machine_of(*words);
  const bool on_cpu = words->gpu == "cpu";
  if (const auto memory = node_memory(job, facts)) {
    machine.host_memory_bytes = *memory;
    if (on_cpu) machine.memory_bytes = *memory / words->gpus_per_node;
  } else if (on_cpu) {
    return note("nobody says how much memory a node has; set slurm.memory_per_node");
  }
  const sharding::Codec compute = planned_compute_type(job, words->gpu);
  const sharding::Extent extent{words->nodes * words->gpus_per_node, words->gpus_per_node};
  const Planned planned(job, spec_of(job.base_model, job.sequence_len), compute, on_cpu);
  const sharding::Setting setting = setting_of(job, extent, compute, cores_of_node(machine, job.slurm));
  const Forecast forecast = sharding::forecast(planned.subject(), machine, setting);
  if (!forecast.not_yet.empty()) fail(ExitCode::configuration, "{}", forecast.not_yet);
  if (forecast.fits) {
    job.notes.push_back(fmt::format("plan: fits, {} of {} of each {}; a step of {:.3g} s foretold",
                                    device_bytes(forecast), human_bytes(machine.memory_bytes), machine.device,
                                    forecast.step_s));
    return;
  }
  const auto nearest =
      sharding::nearest_that_fits(planned.subject(), machine, setting, choices_of(job, extent, compute));
  fail(ExitCode::configuration,
       "the job does not fit {} nodes of {} ranks on {}: {}; {}, or ask for more nodes (--without-plan "
       "submits "
       "it as it is)",
       words->nodes, words->gpus_per_node, machine.device, forecast.reason,
       nearest ? fmt::format("the nearest that fits: {} ({} of {} each)", words_of(*nearest),
                             device_bytes(*nearest), human_bytes(machine.memory_bytes))
               : "no placement of it fits them");
}

}  // namespace trireme::cli
