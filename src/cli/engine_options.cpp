#include "cli/engine_options.h"

#include <algorithm>
#include <sstream>

#include <ATen/Parallel.h>

#include "cli/batch_shape.h"
#include "cli/loaded_model.h"
#include "cli/lora.h"
#include "cli/plan.h"
#include "cli/step_report.h"
#include "model/work.h"
#include "offload/host/numa.h"

namespace trireme::cli {
namespace {

std::vector<std::filesystem::path> nvme_paths(const jobs::JobSpec& job) {
  const std::string& named = job.offload.nvme_paths.empty() ? job.slurm.scratch : job.offload.nvme_paths;
  std::vector<std::filesystem::path> paths;
  std::istringstream words(named);
  for (std::string word; std::getline(words, word, ',');)
    if (!word.empty()) paths.emplace_back(word);
  return paths;
}

/// Whether a job that computes on a device keeps state elsewhere, which the host then updates.
bool updates_on_host(const jobs::JobSpec& job) {
  return jobs::placement_of(job, sharding::Codec::fp32).optimizer.tier != sharding::Tier::device;
}

std::vector<int> update_cores(const jobs::JobSpec& job, const comm::World& world) {
  if (compute_device() && !updates_on_host(job)) return {};
  return cores_for_updates(job, world);
}

/// That the ranks of a node compute on and reduce with; 0: they compute elsewhere.
int cores_to_share(const comm::World& world) {
  return compute_device() ? 0 : world.cores();
}

sharding::TierOptions tier_options(const jobs::JobSpec& job, const comm::World& world) {
  sharding::TierOptions tiers;
  tiers.pin = job.offload.pin;
  tiers.nvme_paths = nvme_paths(job);
  tiers.nvme_backend = job.offload.nvme_backend;
  tiers.nvme_depth = static_cast<unsigned>(job.offload.nvme_depth);
  tiers.part_elements = job.offload.part_elements;
  tiers.parts_in_memory = parts_in_memory(job);
  tiers.update_cores = update_cores(job, world);
  tiers.numa_node = offload::node_of_cores(tiers.update_cores);
  tiers.device = compute_device();
  return tiers;
}

}  // namespace

std::vector<int> cores_for_updates(const jobs::JobSpec& job, const comm::World& world) {
  const std::vector<int> allowed = offload::allowed_cores();
  const auto& nodes = world.node_of_rank();
  const auto mine = nodes.begin() + world.rank();
  const auto before = static_cast<std::size_t>(std::count(nodes.begin(), mine, *mine));
  const auto threads = static_cast<std::size_t>(job.offload.update_threads > 0 ? job.offload.update_threads
                                                                               : at::get_num_threads());
  std::vector<int> cores;
  for (std::size_t i = 0; i < threads && !allowed.empty(); ++i)
    cores.push_back(allowed[(before * threads + i) % allowed.size()]);
  return cores;
}

sharding::Setting setting_here(const jobs::JobSpec& job, const comm::World& world, sharding::Codec compute) {
  sharding::Setting setting = setting_of(job, extent_of(world), compute, cores_to_share(world));
  setting.options.lowers_gradients = compute_device() != nullptr;
  return setting;
}

sharding::EngineOptions engine_options(const jobs::JobSpec& job, const comm::World& world) {
  sharding::EngineOptions options;
  options.prefetch_depth = static_cast<int>(job.schedule.prefetch_depth);
  options.reduce_depth = reduce_depth_of(job, extent_of(world), cores_to_share(world));
  options.input_depth = static_cast<int>(job.schedule.input_depth);
  options.unit_major = job.schedule.order == "unit_major";
  options.host_threads = at::get_num_threads();
  options.update_when_reduced = updates_when_reduced(job);
  options.keeps_gradients = !options.unit_major && shape_of(job, world).micro_batches > 1;
  options.tiers = tier_options(job, world);
  return options;
}

sharding::EngineOptions engine_options(const jobs::JobSpec& job, const Worlds& worlds) {
  sharding::EngineOptions options = engine_options(job, worlds.hosts);
  if (compute_device()) options.hosts = &worlds.hosts;
  if (worlds.gpu_numa >= 0) options.tiers.numa_node = worlds.gpu_numa;
  return options;
}

sharding::EngineOptions engine_options(const jobs::JobSpec& job, const Worlds& worlds,
                                       const model::ModelSpec& spec, sharding::Codec compute) {
  sharding::EngineOptions options = engine_options(job, worlds);
  if (job.offload.parts_in_memory == 0)
    options.work_beside_parts = [=] {
      return model::work_of(spec, work_shape(job, spec, compute), lora_of(job));
    };
  return options;
}

}  // namespace trireme::cli
