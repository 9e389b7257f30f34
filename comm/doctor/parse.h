#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::comm::doctor {

/// The kernel's text files as values. Nothing is thrown: what cannot be read is not known.

/// /proc/meminfo in bytes (counts as they are): "HugePages_Total" → 0, "MemTotal" → …
std::map<std::string, std::uint64_t> parse_meminfo(std::string_view text);
/// "always [madvise] never" → "madvise"; empty when nothing is in brackets.
std::string parse_choice(std::string_view text);
/// The flags of the first processor in /proc/cpuinfo (x86: "flags", Arm: "Features").
std::set<std::string> parse_cpu_flags(std::string_view text);
std::string parse_cpu_model(std::string_view text);
/// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun …" → "580.65.06".
std::string parse_nvidia_version(std::string_view text);
/// First run of "digits.digits…" in a text.
std::string parse_dotted_version(std::string_view text);

/// One line of /proc/self/cgroup; the unified hierarchy (v2) has no controllers.
struct CgroupMembership {
  std::vector<std::string> controllers;
  std::string path;
  bool operator==(const CgroupMembership&) const = default;
};
std::vector<CgroupMembership> parse_cgroup_memberships(std::string_view text);
/// memory.max or memory.limit_in_bytes; nothing for "max", for v1's "no limit" numbers and for broken text.
std::optional<std::uint64_t> parse_cgroup_bytes(std::string_view text);
/// cpu.max: "150000 100000" → 1.5 processors; nothing for "max …" and for broken text.
std::optional<double> parse_cpu_max(std::string_view text);
/// cpu.cfs_quota_us and cpu.cfs_period_us.
std::optional<double> parse_cpu_quota(std::string_view quota, std::string_view period);

}  // namespace trireme::comm::doctor
