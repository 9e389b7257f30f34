#include "comm/doctor/mpi_checks.h"

#include <algorithm>
#include <array>
#include <set>

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <mpi.h>

#include "comm/mpi/runtime.h"
#include "comm/mpi/transport.h"
#include "comm/ucx/ucx_links.h"

namespace trireme::comm::doctor {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> sorted(const std::set<std::string>& names) {
  return {names.begin(), names.end()};
}

fs::path mpi_library_file() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&MPI_Init_thread), &info) == 0 || !info.dli_fname) return {};
  std::error_code problem;
  const fs::path file = fs::canonical(info.dli_fname, problem);
  return problem ? fs::path{} : file;
}

/// Open MPI keeps its components as files beside its library.
std::vector<std::string> installed_transports() {
  std::set<std::string> found;
  const fs::path folder = mpi_library_file().parent_path();
  for (const char* components : {"openmpi", "openmpi3", "openmpi/lib/openmpi3", "openmpi/lib/openmpi"}) {
    std::error_code problem;
    for (fs::directory_iterator entry(folder / components, problem), end; !problem && entry != end;
         entry.increment(problem))
      if (std::string transport = transport_of_file(entry->path().filename().string()); !transport.empty())
        found.insert(std::move(transport));
  }
  return sorted(found);
}

Finding describe_library() {
  const std::string version = mpi_library_version();
  return ok("MPI", fmt::format("{} ({})", version.substr(0, version.find_first_of(",\n")),
                               mpi_library_file().string()));
}

Finding check_cuda_awareness() {
  using Query = int (*)();
  const auto query = reinterpret_cast<Query>(::dlsym(RTLD_DEFAULT, "MPIX_Query_cuda_support"));
  if (query && query() == 1) return ok("MPI and CUDA", "MPI moves device memory by itself");
  return ok("MPI and CUDA",
            "MPI moves host memory only: device tensors go through NCCL, or staged through the host");
}

Finding describe_ucx() {
  if (!UcxLinks::built_in()) return ok("UCX", "not built in: `bench comm --backend ucx` is not available");
  return ok("UCX", UcxLinks::library_version());
}

bool has_infiniband(const Node& node) {
  return std::any_of(node.interfaces.begin(), node.interfaces.end(),
                     [](const NetworkInterface& interface) { return interface.infiniband; });
}

}  // namespace

std::string transport_of_file(std::string_view file_name) {
  if (!file_name.starts_with("mca_") || !file_name.ends_with(".so")) return {};
  return transport_name(file_name.substr(4, file_name.size() - 7));
}

Finding judge_transports(const std::vector<std::string>& in_use, const std::vector<std::string>& installed,
                         bool infiniband) {
  std::string found =
      fmt::format("in use: {}", in_use.empty() ? "not known" : fmt::format("{}", fmt::join(in_use, ", ")));
  if (!installed.empty()) found += fmt::format("; installed: {}", fmt::join(installed, ", "));
  const auto carries_infiniband = [](const std::string& name) {
    return name == "pml ucx" || name == "mtl ofi" || name == "btl ofi";
  };
  const bool fast = std::any_of(in_use.begin(), in_use.end(), carries_infiniband);
  if (!infiniband || fast || in_use.empty()) return ok("MPI transports", found);
  if (std::any_of(installed.begin(), installed.end(), carries_infiniband))
    return warning("MPI transports", found, "InfiniBand is there but not used: mpirun --mca pml ucx");
  return warning("MPI transports", found,
                 "InfiniBand is there but this MPI cannot use it: use an MPI built with UCX");
}

Finding judge_thread_level(int level) {
  if (level >= MPI_THREAD_MULTIPLE) return ok("MPI threads", "MPI_THREAD_MULTIPLE");
  return problem("MPI threads", fmt::format("level {} of {}", level, MPI_THREAD_MULTIPLE),
                 "use an MPI library that was built with thread support");
}

Finding judge_network(const Node& node, int nodes) {
  if (node.interfaces.empty()) {
    if (nodes == 1) return ok("network", "loopback only");
    return warning("network", "no interface with an address but the loopback",
                   "the hosts can reach each other only through one: check ip addr");
  }
  std::vector<std::string> names;
  for (const NetworkInterface& interface : node.interfaces)
    names.push_back(interface.gigabits > 0 ? fmt::format("{} {:g} Gbit/s", interface.name, interface.gigabits)
                                           : fmt::format("{} (speed not known)", interface.name));
  return ok("network", fmt::format("{}", fmt::join(names, ", ")));
}

Finding describe_launcher(const Environment& environment, int ranks) {
  const auto value = [&environment](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string{} : found->second;
  };
  const std::string pmix = value("PMIX_VERSION"), job = value("SLURM_JOB_ID");
  const std::string many = fmt::format("{} rank{}", ranks, ranks == 1 ? "" : "s");
  std::string found = "none: a single process";
  if (!value("OMPI_COMM_WORLD_SIZE").empty()) {
    found = "mpirun, " + many;
  } else if (!value("SLURM_STEP_ID").empty()) {
    found = "srun, " + many;
  } else if (!value("PMI_SIZE").empty()) {
    found = "a PMI launcher, " + many;
  }
  if (!pmix.empty()) found += ", PMIx " + pmix;
  if (!job.empty()) found += ", in Slurm job " + job;
  return ok("launcher", found);
}

std::vector<Finding> check_mpi_library(const Environment& environment, const Topology& topology, int rank) {
  int level = MPI_THREAD_SINGLE;
  MPI_Query_thread(&level);
  const Node& node = topology.node_of(rank);
  return {
      describe_library(),
      judge_thread_level(level),
      judge_transports(transports_in_use(), installed_transports(), has_infiniband(node)),
      check_cuda_awareness(),
      describe_ucx(),
      describe_launcher(environment, topology.size()),
      judge_network(node, static_cast<int>(topology.nodes.size())),
  };
}

std::vector<Finding> check_hdf5() {
  using GetVersion = int (*)(unsigned*, unsigned*, unsigned*);
  const auto get_version = reinterpret_cast<GetVersion>(::dlsym(RTLD_DEFAULT, "H5get_libversion"));
  unsigned major = 0, minor = 0, release = 0;
  if (!get_version || get_version(&major, &minor, &release) < 0) return {};
  return {ok("HDF5", fmt::format("{}.{}.{}", major, minor, release))};
}

}  // namespace trireme::comm::doctor
