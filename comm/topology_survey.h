#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "comm/topology.h"

namespace trireme::comm {

using Environment = std::map<std::string, std::string>;
Environment current_environment();

/// What one process finds out about the place where it runs; the topology is assembled from one of each rank.
struct RankReport {
  std::string hostname;
  std::string boot_id;
  int shared_memory_leader = 0;  ///< lowest rank of those with which MPI says that this one shares memory
  std::vector<int> cores;
  std::vector<int> numa;
  std::vector<NumaNode> numa_nodes;
  std::vector<Gpu> gpus;  ///< visible, in CUDA's order
  std::vector<NetworkInterface> interfaces;
  std::string problem;  ///< why this rank cannot go on; empty when it can
  int problem_code = 0;
};

/// Fills everything but the leader. `root` stands before /proc, /sys and /dev.
RankReport survey(const Environment& environment, const std::filesystem::path& root = "/");

/// The parts of it that read files alone.
std::vector<Gpu> survey_gpus(const std::filesystem::path& root);
std::vector<NetworkInterface> survey_infiniband(const std::filesystem::path& root);
/// Empty when the file is missing or cannot be read.
std::string read_text(const std::filesystem::path& path);

std::string to_json(const RankReport& report);
RankReport report_from_json(std::string_view text);

}  // namespace trireme::comm
