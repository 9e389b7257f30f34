#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "comm/doctor/cgroup.h"
#include "comm/doctor/finding.h"
#include "comm/topology_survey.h"

namespace trireme::comm::doctor {

/// Judgements over values alone, so that each can be tested with a machine that is not here.

/// `lockable`: RLIMIT_MEMLOCK in bytes; nothing: unlimited.
Finding judge_memlock(std::optional<std::uint64_t> lockable, bool infiniband_or_gpu);
Finding judge_open_files(std::uint64_t allowed);
Finding judge_huge_pages(std::string_view transparent_enabled, std::string_view meminfo);
/// Of /dev/shm, through which ranks of a node share memory.
Finding judge_shared_memory(std::uint64_t size, std::uint64_t free, int ranks_of_node);
Finding judge_scratch(const std::string& folder, std::uint64_t free);
Finding judge_cgroup(const CgroupLimits& limits, std::uint64_t memory_total, int cores);
/// Threads that each rank will start against the cores that it may use; `threads` is OMP_NUM_THREADS, 0 when
/// it is not set.
Finding judge_threads(int cores_of_node, int ranks_of_node, long long threads);
Finding judge_processor(std::string_view cpuinfo);
/// `problem`: errno of io_uring_setup; 0: it works.
Finding judge_io_uring(int problem);

/// MPI_Init aborts the process where this is a problem.
Finding check_scratch(const Environment& environment);
/// All of the above on this machine, where `rank` runs.
std::vector<Finding> check_machine(const Environment& environment, const Topology& topology, int rank);

}  // namespace trireme::comm::doctor
