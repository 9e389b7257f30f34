#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "comm/doctor/finding.h"
#include "comm/mpi/runtime.h"

namespace trireme::comm::doctor {

/// What each rank, one on each node, exchanges with the best of a few others, GB/s both ways together; the
/// same on all ranks, 0 where there is only one. A node's own slowness shows with whomever it is paired.
std::vector<double> measure_node_links(const MpiRuntime& runtime);

/// The rate of a node beside what is usual among the others now (0: nobody knows) and beside its own best
/// before (0: it was never measured). Two nodes alone cannot tell which of them is slow.
Finding judge_node_link(double gb_s, double usual_gb_s, double best_before_gb_s, int nodes);

/// What the best quarter of the other nodes reach; 0 where there are fewer than two.
double usual_of_others(const std::vector<double>& rates, std::size_t node);

}  // namespace trireme::comm::doctor
