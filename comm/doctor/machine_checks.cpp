#include "comm/doctor/machine_checks.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include <linux/io_uring.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "comm/doctor/parse.h"
#include "comm/topology_parse.h"

namespace trireme::comm::doctor {
namespace {

std::optional<std::uint64_t> soft_limit(__rlimit_resource resource) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

struct Space {
  std::uint64_t total = 0, free = 0;
};

std::optional<Space> space_of(const std::string& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return std::nullopt;
  return Space{status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize};
}

int try_io_uring() {
  io_uring_params params{};
  const long descriptor = ::syscall(SYS_io_uring_setup, 1, &params);
  if (descriptor < 0) return errno;
  ::close(static_cast<int>(descriptor));
  return 0;
}

std::string value_or(const Environment& environment, const char* name, std::string_view other) {
  const auto found = environment.find(name);
  return found == environment.end() || found->second.empty() ? std::string(other) : found->second;
}

int cores_of(const Node& node) {
  int cores = 0;
  for (const NumaNode& numa : node.numa) cores += numa.cores;
  return cores;
}

Finding check_shared_memory(int ranks) {
  if (const auto space = space_of("/dev/shm")) return judge_shared_memory(space->total, space->free, ranks);
  return problem("shared memory", std::string("/dev/shm: ") + std::strerror(errno), "mount a tmpfs there");
}

}  // namespace

Finding check_scratch(const Environment& environment) {
  const std::string folder = value_or(environment, "TMPDIR", "/tmp");
  if (::access(folder.c_str(), W_OK) != 0)
    return problem("scratch", folder + ": " + std::strerror(errno),
                   "set TMPDIR to a folder that can be written");
  const auto space = space_of(folder);
  return space ? judge_scratch(folder, space->free)
               : warning("scratch", folder + ": " + std::strerror(errno), "set TMPDIR to a local disk");
}

std::vector<Finding> check_machine(const Environment& environment, const Topology& topology, int rank) {
  const Node& node = topology.node_of(rank);
  const std::string meminfo = read_text("/proc/meminfo");
  const auto memory = parse_meminfo(meminfo);
  const auto total = memory.find("MemTotal");
  const int ranks = static_cast<int>(node.ranks.size());
  const bool locks = !node.gpus.empty() ||
                     std::any_of(node.interfaces.begin(), node.interfaces.end(),
                                 [](const NetworkInterface& interface) { return interface.infiniband; });
  std::set<int> usable;
  for (const int member : node.ranks)
    usable.insert(topology.place(member).cores.begin(), topology.place(member).cores.end());
  return {
      judge_processor(read_text("/proc/cpuinfo")),
      judge_threads(static_cast<int>(usable.size()), ranks,
                    parse_number(value_or(environment, "OMP_NUM_THREADS", "0")).value_or(0)),
      judge_cgroup(read_cgroup_limits("/"), total == memory.end() ? 0 : total->second, cores_of(node)),
      judge_memlock(soft_limit(RLIMIT_MEMLOCK), locks),
      judge_open_files(soft_limit(RLIMIT_NOFILE).value_or(1 << 30)),
      judge_huge_pages(read_text("/sys/kernel/mm/transparent_hugepage/enabled"), meminfo),
      check_shared_memory(ranks),
      check_scratch(environment),
      judge_io_uring(try_io_uring()),
  };
}

}  // namespace trireme::comm::doctor
