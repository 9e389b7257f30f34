#include "cli/ranks.h"

#include <algorithm>
#include <vector>

#include "comm/mpi/device_exchange.h"
#include "comm/mpi/gather_texts.h"
#include "comm/topology_assemble.h"
#include "core/error.h"
#include "core/log.h"

namespace trireme::cli {
namespace {

/// As the kernel would list them, for where it does not.
std::vector<comm::Gpu> gpus_of(const DevicePlugin* plugin) {
  std::vector<comm::Gpu> gpus;
  for (int index = 0; plugin && index < plugin->device_count(); ++index) {
    const DeviceInfo info = plugin->info(index);
    gpus.push_back({info.pci_id, info.name, "", -1});
  }
  return gpus;
}

}  // namespace

Ranks::Ranks(const comm::MpiRuntime& runtime, const jobs::JobSpec& job)
    : plugin_(open_plugin(job)), hosts_(runtime, {.gpus = gpus_of(plugin_.opened)}) {
  if (job.device == "cpu") return;
  const std::vector<std::string> problems = comm::gather_texts(runtime, open_device());
  const auto first =
      std::find_if(problems.begin(), problems.end(), [](const auto& one) { return !one.empty(); });
  if (first == problems.end()) {
    devices_ = plugin_.opened->world(*device_, comm::meet_over_mpi(hosts_));
    either_.emplace(*devices_, hosts_, *device_);
    computing_.emplace(*device_);
    return;
  }
  device_.reset();
  const auto rank = static_cast<int>(first - problems.begin());
  const std::string& host = hosts_.topology().node_of(rank).hostname;
  if (job.device == "cuda")
    fail(ExitCode::configuration, "device: cuda: rank {} on {}: {}", rank, host, *first);
  if (hosts_.rank() == 0 && somebody_sees_a_gpu())
    log::warning("there are GPUs, but this runs on the CPU: rank {} on {}: {}", rank, host, *first);
}

Ranks::Plugin Ranks::open_plugin(const jobs::JobSpec& job) {
  if (job.device == "cpu") return {};
  try {
    return {&open_device_plugin(), {}};
  } catch (const Error& error) {
    return {nullptr, error.what()};
  }
}

std::string Ranks::open_device() {
  if (!plugin_.opened) return plugin_.problem;
  try {
    comm::Topology topology = hosts_.topology();
    comm::assign_gpus(topology, false);
    const int rank = hosts_.rank();
    gpu_numa_ = topology.node_of(rank).gpus[static_cast<std::size_t>(topology.place(rank).gpu)].numa;
    device_ = plugin_.opened->open(topology.device_ordinal(rank));
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

bool Ranks::somebody_sees_a_gpu() const {
  const auto& nodes = hosts_.topology().nodes;
  return std::any_of(nodes.begin(), nodes.end(), [](const comm::Node& node) { return !node.gpus.empty(); });
}

}  // namespace trireme::cli
