#include "offload/host/limits.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "comm/doctor/parse.h"
#include "comm/topology_survey.h"
#include "core/bytes.h"
#include "core/error.h"

namespace trireme::offload {
namespace {

namespace fs = std::filesystem;
namespace doctor = comm::doctor;
using comm::read_text;

constexpr int may_lock_memory = 14;  // CAP_IPC_LOCK

/// The text after "`name`" on its line, without leading blanks.
std::string_view field(std::string_view text, std::string_view name) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(name)) {
      const std::size_t value = line.find_first_not_of(" \t", name.size());
      return value == std::string_view::npos ? std::string_view() : line.substr(value);
    }
    at = end + 1;
  }
  return {};
}

std::optional<std::uint64_t> number(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (status != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) {
  return from > what ? from - what : 0;
}

std::optional<std::uint64_t> lockable(const fs::path& root) {
  const std::string status = read_text(root / "proc/self/status");
  const auto rights = number(field(status, "CapEff:"), 16);
  if (rights && (*rights >> may_lock_memory & 1)) return std::nullopt;
  const auto limit = number(field(read_text(root / "proc/self/limits"), "Max locked memory"));
  if (!limit) return std::nullopt;
  constexpr std::uint64_t kibi = 1024;
  return less(*limit, number(field(status, "VmLck:")).value_or(0) * kibi);
}

struct Names {
  const char *limit, *usage, *reclaimable;
};
constexpr Names v2{"memory.max", "memory.current", "inactive_file "};
constexpr Names v1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};

void tighten(std::optional<std::uint64_t>& room, const fs::path& group, const Names& names) {
  const auto limit = doctor::parse_cgroup_bytes(read_text(group / names.limit));
  if (!limit) return;
  const std::uint64_t used = number(read_text(group / names.usage)).value_or(0);
  const std::uint64_t cache = number(field(read_text(group / "memory.stat"), names.reclaimable)).value_or(0);
  const std::uint64_t left = less(*limit, less(used, cache));
  room = std::min(room.value_or(left), left);
}

/// Inside a container the path may be the host's, and then only the hierarchy's top is to be seen.
void tighten_upwards(std::optional<std::uint64_t>& room, const fs::path& hierarchy, const std::string& path,
                     const Names& names) {
  const fs::path relative = fs::path(path).relative_path();
  for (fs::path group = relative; !group.empty(); group = group.parent_path())
    tighten(room, hierarchy / group, names);
  tighten(room, hierarchy, names);
}

std::optional<std::uint64_t> cgroup_room(const fs::path& root) {
  const fs::path top = root / "sys/fs/cgroup";
  std::optional<std::uint64_t> room;
  for (const auto& member : doctor::parse_cgroup_memberships(read_text(root / "proc/self/cgroup"))) {
    if (member.controllers.empty()) {
      tighten_upwards(room, top, member.path, v2);
      tighten_upwards(room, top / "unified", member.path, v2);
    } else if (std::count(member.controllers.begin(), member.controllers.end(), "memory") != 0) {
      tighten_upwards(room, top / "memory", member.path, v1);
    }
  }
  return room;
}

std::string refuse(std::string_view purpose, std::uint64_t bytes, std::string_view who, std::uint64_t left,
                   std::string_view advice) {
  return fmt::format("{}: needs {} of host memory, but {} {} left; {}", purpose,
                     human_bytes(static_cast<double>(bytes)), who, human_bytes(static_cast<double>(left)),
                     advice);
}

}  // namespace

HostLimits read_host_limits(const fs::path& root) {
  HostLimits limits{lockable(root), cgroup_room(root), std::nullopt};
  const auto memory = doctor::parse_meminfo(read_text(root / "proc/meminfo"));
  if (const auto found = memory.find("MemAvailable"); found != memory.end()) limits.machine = found->second;
  return limits;
}

std::optional<std::string> refusal(const HostLimits& limits, std::uint64_t bytes, std::string_view purpose,
                                   bool locked) {
  if (limits.cgroup && bytes > *limits.cgroup)
    return refuse(purpose, bytes, "the job's control group has", *limits.cgroup,
                  "ask for more (--mem), use more ranks or nodes, or keep it on NVMe");
  if (limits.machine && bytes > *limits.machine)
    return refuse(purpose, bytes, "the node has", *limits.machine,
                  "use more nodes, or keep it on NVMe (placement.optimizer.tier=nvme)");
  if (locked && limits.lockable && bytes > *limits.lockable)
    return refuse(purpose, bytes, "the memlock limit has", *limits.lockable,
                  "raise it (ulimit -l unlimited, or LimitMEMLOCK of slurmd), or set offload.pin=false");
  return std::nullopt;
}

void require_room(const HostLimits& limits, std::uint64_t bytes, std::string_view purpose, bool locked) {
  if (const auto sentence = refusal(limits, bytes, purpose, locked))
    fail(ExitCode::configuration, "{}", *sentence);
}

}  // namespace trireme::offload
