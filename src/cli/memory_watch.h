#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

namespace trireme::cli {

/// What a process and its surroundings hold of the host's memory.
struct HostMemory {
  std::uint64_t resident = 0;
  /// Of the tightest control group: its limit and what is left of it. Page cache that can be given up counts
  /// as left.
  std::optional<std::uint64_t> limit, left;
  /// Of the machine.
  std::uint64_t total = 0, available = 0;
};

HostMemory look_at_memory();

/// The sentence to warn with, or nothing while there is room: the kernel ends a process where there is none.
std::optional<std::string> shortage(const HostMemory& memory, int rank, const std::string& node);

/// The name of this host, as Slurm has it where Slurm started us.
std::string node_name();

/// Looks every second, and once in a while says in the log and in the run folder's events that memory comes
/// to its end, which rank and which node, before the kernel ends a process without a word.
class MemoryWatch {
 public:
  MemoryWatch(std::filesystem::path run_folder, int rank);
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

 private:
  void look_on(const std::stop_token& stop);

  std::filesystem::path run_folder_;
  int rank_;
  std::jthread thread_;
};

}  // namespace trireme::cli
