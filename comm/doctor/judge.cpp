#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "comm/doctor/machine_checks.h"
#include "comm/doctor/parse.h"
#include "core/bytes.h"

namespace trireme::comm::doctor {
namespace {

constexpr std::uint64_t mebibyte = 1 << 20, gibibyte = 1 << 30;

std::string size(std::uint64_t bytes) {
  return human_bytes(static_cast<double>(bytes));
}

}  // namespace

Finding judge_memlock(std::optional<std::uint64_t> lockable, bool infiniband_or_gpu) {
  if (!lockable) return ok("memlock", "unlimited");
  const std::string found = fmt::format("{} may be locked", size(*lockable));
  if (*lockable >= 64 * gibibyte) return ok("memlock", found);
  const std::string how =
      "raise it (ulimit -l unlimited; /etc/security/limits.conf; LimitMEMLOCK=infinity for slurmd or the "
      "container)";
  if (infiniband_or_gpu)
    return warning("memlock", found, "network cards and GPUs lock what they move: " + how);
  if (*lockable < mebibyte) return warning("memlock", found, "io_uring cannot register its buffers: " + how);
  return ok("memlock", found + "; enough without InfiniBand and GPUs");
}

Finding judge_open_files(std::uint64_t allowed) {
  const std::string found = fmt::format("{} may be open", allowed);
  if (allowed >= 4096) return ok("open files", found);
  return warning(
      "open files", found,
      "a checkpoint of many shards opens many files and every peer takes a socket: ulimit -n 65536");
}

Finding judge_huge_pages(std::string_view transparent_enabled, std::string_view meminfo) {
  const auto values = parse_meminfo(meminfo);
  const auto value = [&values](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::uint64_t{0} : found->second;
  };
  const std::string choice = parse_choice(transparent_enabled);
  const std::string found =
      fmt::format("transparent: {}; reserved: {} of {}", choice.empty() ? "not known" : choice,
                  value("HugePages_Total"), size(value("Hugepagesize")));
  if (choice == "always" || choice == "madvise") return ok("huge pages", found);
  return warning("huge pages", found,
                 "large host buffers cost more without them: echo madvise > "
                 "/sys/kernel/mm/transparent_hugepage/enabled");
}

Finding judge_shared_memory(std::uint64_t total, std::uint64_t free, int ranks_of_node) {
  const std::string found = fmt::format("/dev/shm: {} free of {}", size(free), size(total));
  const std::string how =
      "enlarge it (mount -o remount,size=50% /dev/shm; docker run --shm-size or --ipc=host)";
  if (ranks_of_node > 1 && free < 128 * mebibyte)
    return problem("shared memory", found, "the ranks of a node exchange data there: " + how);
  if (free < 2 * gibibyte)
    return warning("shared memory", found,
                   "rings and host state shared by a node's ranks live there: " + how);
  return ok("shared memory", found);
}

Finding judge_scratch(const std::string& folder, std::uint64_t free) {
  const std::string found = fmt::format("{}: {} free", folder, size(free));
  if (free < 64 * mebibyte)
    return problem("scratch", found,
                   "MPI and trireme keep run-time files there: free some space or set TMPDIR");
  if (free < 2 * gibibyte) return warning("scratch", found, "set TMPDIR to a larger local disk");
  return ok("scratch", found);
}

Finding judge_cgroup(const CgroupLimits& limits, std::uint64_t memory_total, int cores) {
  if (!limits.memory_bytes && !limits.processors) return ok("cgroup", "no limits");
  std::string found, advice;
  if (limits.memory_bytes) {
    found = fmt::format("{} of {} memory", size(*limits.memory_bytes), size(memory_total));
    if (*limits.memory_bytes < 2 * gibibyte)
      advice = "ask for more memory (sbatch --mem, docker --memory): the kernel kills what goes over";
  }
  if (limits.processors) {
    found += fmt::format("{}{:.2g} processors' time on {} cores", found.empty() ? "" : ", ",
                         *limits.processors, cores);
    if (*limits.processors + 0.01 < cores)
      advice = fmt::format(
          "threads beyond the quota are stopped in mid-collective: use at most {} of them (OMP_NUM_THREADS, "
          "docker --cpuset-cpus)",
          std::max(1, static_cast<int>(*limits.processors)));
  }
  return advice.empty() ? ok("cgroup", found) : warning("cgroup", found, advice);
}

Finding judge_threads(int cores_of_node, int ranks_of_node, long long threads) {
  const std::string each =
      threads > 0 ? fmt::format("{} compute threads each (OMP_NUM_THREADS)", threads) : "threads not set";
  const std::string found = fmt::format("{} rank{} on {} cores, {}", ranks_of_node,
                                        ranks_of_node == 1 ? "" : "s", cores_of_node, each);
  if (ranks_of_node > cores_of_node)
    return warning("cores", found,
                   "ranks that share a core wait for each other in every collective: start fewer ranks");
  if (threads > 0 && threads * ranks_of_node > cores_of_node)
    return warning("cores", found,
                   fmt::format("set OMP_NUM_THREADS to at most {}", cores_of_node / ranks_of_node));
  return ok("cores", found);
}

Finding judge_processor(std::string_view cpuinfo) {
  const std::set<std::string> flags = parse_cpu_flags(cpuinfo);
  std::string model = parse_cpu_model(cpuinfo);
  if (model.empty()) model = "model not known";
  std::string features;
  const auto note = [&](const char* flag, const char* name) {
    if (flags.contains(flag)) features += fmt::format("{}{}", features.empty() ? "" : ", ", name);
  };
  note("avx2", "AVX2");
  note("avx512f", "AVX-512");
  note("avx512_bf16", "AVX-512 bf16");
  note("amx_tile", "AMX");
  note("amx_bf16", "AMX bf16");
  note("asimd", "NEON");
  note("sve", "SVE");
  note("bf16", "Arm bf16");
  const std::string found =
      fmt::format("{}; {}", model, features.empty() ? "no vector features known" : features);
  if (flags.contains("avx2") || flags.contains("asimd")) return ok("processor", found);
  return warning("processor", found, "training on the host will be slow; as a host for GPUs it serves");
}

Finding judge_io_uring(int problem_number) {
  if (problem_number == 0) return ok("io_uring", "allowed");
  const std::string found = std::strerror(problem_number);
  if (problem_number == ENOSYS)
    return warning("io_uring", found,
                   "this kernel has none: NVMe offload uses threads instead, which is slower");
  return warning("io_uring", found,
                 "NVMe offload uses threads instead, which is slower: sysctl kernel.io_uring_disabled=0, or "
                 "a seccomp profile that allows it");
}

}  // namespace trireme::comm::doctor
