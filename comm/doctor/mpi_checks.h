#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "comm/doctor/finding.h"
#include "comm/topology.h"
#include "comm/topology_survey.h"

namespace trireme::comm::doctor {

/// "mca_pml_ucx.so" → "pml ucx", for the frameworks that move messages; empty for other files.
std::string transport_of_file(std::string_view file_name);
Finding judge_transports(const std::vector<std::string>& in_use, const std::vector<std::string>& installed,
                         bool infiniband);
Finding judge_thread_level(int level);
Finding judge_network(const Node& node, int nodes);
/// Who started this process, as its environment tells.
Finding describe_launcher(const Environment& environment, int ranks);

/// MPI must be initialised.
std::vector<Finding> check_mpi_library(const Environment& environment, const Topology& topology, int rank);
/// The HDF5 library, when this process has it.
std::vector<Finding> check_hdf5();

}  // namespace trireme::comm::doctor
