#include <boost/json.hpp>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "cli/compute_settings.h"
#include "cli/job_words.h"
#include "cli/known_gpu.h"
#include "cli/loaded_model.h"
#include "cli/measuring_site.h"
#include "cli/plan.h"
#include "cli/step_report.h"
#include "cli/vocabulary.h"
#include "core/log.h"

namespace trireme::cli {
namespace {

/// What is known before anything is measured.
sharding::Machine machine_by_the_table(const Device* device, const sharding::Extent& extent) {
  MachineWords words;
  words.gpu = table_row(device);
  words.nodes = extent.world / extent.node, words.gpus_per_node = extent.node;
  return machine_of(words);
}

/// A file for `plan --machine`. Of a GPU only what was measured: the rest is the table's, on any number of
/// nodes.
std::string json_of(const sharding::Machine& machine, const sharding::Machine& table, const Device* device) {
  boost::json::object found{{"device", table.device}};
  if (device) found["measured_on"] = device->info().name;
  const auto before = figures_of(table), now = figures_of(machine);
  for (std::size_t i = 0; i < now.size(); ++i)
    if (!device || now[i].value != before[i].value) found[now[i].name] = now[i].value;
  return boost::json::serialize(found);
}

int bench_machine(const JobWords& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  log::configure(fmt::format("rank {}", runtime.rank()), log::Level::info);
  const jobs::JobSpec job = load(words);
  Ranks ranks(runtime, job);
  prepare_to_compute(job, ranks);
  const Worlds worlds = ranks.worlds();
  const sharding::Extent extent = extent_of(worlds.hosts);
  const sharding::Machine table = machine_by_the_table(ranks.device(), extent);
  sharding::Machine machine = table;
  if (const Device* device = ranks.device()) {
    machine.memory_bytes = static_cast<double>(device->info().memory_bytes);
    if (known_gpu(device->info()).empty() && runtime.rank() == 0)
      log::info("there are no published figures of {}: what is not measured is that of {}",
                device->info().name, table.device);
  } else {
    machine.cores = worlds.hosts.cores();
  }
  MeasuringSite site(worlds);
  const sharding::Codec codec = compute_type(job);
  const model::ModelSpec spec =
      with_chunks(spec_of(job.base_model, job.sequence_len), job, jobs::placement_of(job, codec), extent);
  measure_computation(machine, job, spec, site, codec);
  measure_wires(machine, site);
  measure_updates(machine, job, site);
  measure_steps(machine, job, spec, site, codec);
  measure_links(machine, site, scalar_type(codec));
  if (runtime.rank() == 0) fmt::print("{}\n", json_of(machine, table, ranks.device()));
  return 0;
}

}  // namespace

void add_bench_machine(Command bench) {
  Command command = bench.subcommand(
      "machine", "Measure what `plan` wants to know of this machine: products, memory, update, links");
  auto words = std::make_shared<JobWords>();
  add_job_words(command, *words);
  command.footer(
      "Measures GPUs or the CPU, as the job's key `device` says.\n"
      "Example: mpirun -n 2 trireme bench machine job.yaml > machine.json");
  command.runs([words] { return bench_machine(*words); });
}

}  // namespace trireme::cli
