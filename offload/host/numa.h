#pragma once
#include <cstddef>
#include <filesystem>
#include <vector>

namespace trireme::offload {

/// Which NUMA nodes have memory that this process may use; {0} where the kernel does not say.
std::vector<int> memory_nodes();
/// Pages of this range that are not there yet will come from `node`, or from elsewhere where it is full.
/// False where the kernel has no say in it.
bool prefer_node(void* data, std::size_t bytes, int node);
/// The node of the page that holds this address, which must have been touched; -1: not known.
int node_of_page(const void* address);
/// The node that all of these cores belong to; -1: there are several, or the kernel does not say.
int node_of_cores(const std::vector<int>& cores,
                  const std::filesystem::path& described = "/sys/devices/system/cpu");
/// Keeps the calling thread on one core; false when it is not allowed there.
bool pin_thread(int core);
/// The cores on which the calling thread may run.
std::vector<int> allowed_cores();

}  // namespace trireme::offload
