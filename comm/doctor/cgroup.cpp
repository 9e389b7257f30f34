#include "comm/doctor/cgroup.h"

#include <algorithm>

#include "comm/doctor/parse.h"
#include "comm/topology_survey.h"

namespace trireme::comm::doctor {
namespace {

namespace fs = std::filesystem;

template <typename T>
void tighten(std::optional<T>& limit, const std::optional<T>& other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

/// Inside a container the path may be the host's, and then only the hierarchy's top is to be seen.
template <typename Visit>
void for_each_ancestor(const fs::path& hierarchy, const std::string& path, Visit visit) {
  const fs::path relative = fs::path(path).relative_path();
  for (fs::path group = relative; !group.empty(); group = group.parent_path()) visit(hierarchy / group);
  visit(hierarchy);
}

void read_v2(const fs::path& folder, CgroupLimits& limits) {
  tighten(limits.memory_bytes, parse_cgroup_bytes(read_text(folder / "memory.max")));
  tighten(limits.processors, parse_cpu_max(read_text(folder / "cpu.max")));
}

void read_v1_memory(const fs::path& folder, CgroupLimits& limits) {
  tighten(limits.memory_bytes, parse_cgroup_bytes(read_text(folder / "memory.limit_in_bytes")));
}

void read_v1_cpu(const fs::path& folder, CgroupLimits& limits) {
  tighten(limits.processors,
          parse_cpu_quota(read_text(folder / "cpu.cfs_quota_us"), read_text(folder / "cpu.cfs_period_us")));
}

}  // namespace

CgroupLimits read_cgroup_limits(const fs::path& root) {
  const fs::path top = root / "sys/fs/cgroup";
  CgroupLimits limits;
  for (const CgroupMembership& membership : parse_cgroup_memberships(read_text(root / "proc/self/cgroup"))) {
    const auto holds = [&membership](const char* name) {
      return std::count(membership.controllers.begin(), membership.controllers.end(), name) != 0;
    };
    const auto visit = [&](const fs::path& hierarchy, auto read) {
      for_each_ancestor(hierarchy, membership.path, [&](const fs::path& folder) { read(folder, limits); });
    };
    if (membership.controllers.empty()) {
      visit(top, read_v2);
      visit(top / "unified", read_v2);
    }
    if (holds("memory")) visit(top / "memory", read_v1_memory);
    if (holds("cpu")) {
      visit(top / "cpu", read_v1_cpu);
      visit(top / "cpu,cpuacct", read_v1_cpu);
    }
  }
  return limits;
}

}  // namespace trireme::comm::doctor
