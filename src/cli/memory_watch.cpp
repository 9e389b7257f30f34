#include "cli/memory_watch.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "comm/doctor/cgroup.h"
#include "comm/doctor/parse.h"
#include "comm/topology_survey.h"
#include "core/bytes.h"
#include "core/log.h"
#include "offload/host/limits.h"
#include "train/run_events.h"

namespace trireme::cli {
namespace {

/// Below these parts of the limit nothing that is asked for may come.
constexpr double near_limit = 0.08, near_end_of_machine = 0.03;

std::string human(std::uint64_t bytes) {
  return human_bytes(static_cast<double>(bytes));
}

}  // namespace

HostMemory look_at_memory() {
  HostMemory memory;
  std::ifstream in("/proc/self/statm");
  std::uint64_t size = 0;
  in >> size >> memory.resident;
  memory.resident *= static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const offload::HostLimits limits = offload::read_host_limits();
  memory.limit = comm::doctor::read_cgroup_limits("/").memory_bytes;
  memory.left = limits.cgroup;
  memory.available = limits.machine.value_or(0);
  const auto facts = comm::doctor::parse_meminfo(comm::read_text("/proc/meminfo"));
  if (const auto total = facts.find("MemTotal"); total != facts.end()) memory.total = total->second;
  return memory;
}

std::optional<std::string> shortage(const HostMemory& memory, int rank, const std::string& node) {
  const auto below = [](std::uint64_t left, std::uint64_t of, double share) {
    return of > 0 && static_cast<double>(left) < share * static_cast<double>(of);
  };
  // A control group without a limit of its own has the machine's.
  const bool limited = memory.limit && (memory.total == 0 || *memory.limit <= memory.total);
  if (limited && memory.left && below(*memory.left, *memory.limit, near_limit))
    return fmt::format(
        "rank {} on {} holds {} and its control group has {} of {} left: soon the kernel ends "
        "a process (slurm.memory_per_node asks for more)",
        rank, node, human(memory.resident), human(*memory.left), human(*memory.limit));
  if (below(memory.available, memory.total, near_end_of_machine))
    return fmt::format(
        "rank {} on {} holds {} and the node has {} of {} left: soon the kernel ends a process", rank, node,
        human(memory.resident), human(memory.available), human(memory.total));
  return std::nullopt;
}

std::string node_name() {
  if (const char* name = std::getenv("SLURMD_NODENAME")) return name;
  std::array<char, 256> host{};
  return ::gethostname(host.data(), host.size() - 1) == 0 ? host.data() : "unknown";
}

MemoryWatch::MemoryWatch(std::filesystem::path run_folder, int rank)
    : run_folder_(std::move(run_folder)), rank_(rank) {
  // Signals that ask for a stop are for the thread that trains.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::jthread([this](const std::stop_token& stop) { look_on(stop); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

MemoryWatch::~MemoryWatch() = default;

void MemoryWatch::look_on(const std::stop_token& stop) {
  constexpr auto look_every = std::chrono::seconds(1);
  constexpr auto say_again_after = std::chrono::minutes(10);
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> said;
  std::mutex mutex;
  std::condition_variable_any wake;
  const std::string node = node_name();
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    if (!said || Clock::now() - *said > say_again_after) {
      if (const auto sentence = shortage(look_at_memory(), rank_, node)) {
        log::warning("{}", *sentence);
        train::append_event(run_folder_, {0, "memory", 0, *sentence});
        said = Clock::now();
      }
    }
    wake.wait_for(lock, stop, look_every, [] { return false; });
  }
}

}  // namespace trireme::cli
