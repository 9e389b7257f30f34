#include "offload/host/numa.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/// OpenMP's, where the program has it.
extern "C" {
[[gnu::weak]] int omp_get_num_places();
[[gnu::weak]] int omp_get_place_num_procs(int place);
[[gnu::weak]] void omp_get_place_proc_ids(int place, int* cores);
}

namespace trireme::offload {
namespace {

constexpr int most_nodes = 1024;
constexpr int word_bits = 64;
using NodeMask = std::array<std::uint64_t, most_nodes / word_bits>;

/// Of all its places, in order; none where it binds no threads.
std::vector<int> cores_of_openmp() {
  std::vector<int> cores;
  if (!omp_get_num_places || !omp_get_place_num_procs || !omp_get_place_proc_ids) return cores;
  for (int place = 0; place < omp_get_num_places(); ++place) {
    std::vector<int> here(static_cast<std::size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, here.data());
    cores.insert(cores.end(), here.begin(), here.end());
  }
  std::sort(cores.begin(), cores.end());
  cores.erase(std::unique(cores.begin(), cores.end()), cores.end());
  return cores;
}

}  // namespace

std::vector<int> memory_nodes() {
  NodeMask mask{};
  std::vector<int> nodes;
  if (::syscall(SYS_get_mempolicy, nullptr, mask.data(), most_nodes, nullptr, MPOL_F_MEMS_ALLOWED) == 0)
    for (int node = 0; node < most_nodes; ++node)
      if (mask[static_cast<std::size_t>(node / word_bits)] >> (node % word_bits) & 1) nodes.push_back(node);
  if (nodes.empty()) nodes.push_back(0);
  return nodes;
}

bool prefer_node(void* data, std::size_t bytes, int node) {
  if (node < 0 || node >= most_nodes) return false;
  NodeMask mask{};
  mask[static_cast<std::size_t>(node / word_bits)] = std::uint64_t{1} << (node % word_bits);
  // The kernel counts one bit less than it is told.
  return ::syscall(SYS_mbind, data, bytes, MPOL_PREFERRED, mask.data(), most_nodes + 1, 0) == 0;
}

int node_of_page(const void* address) {
  int node = -1;
  const long status = ::syscall(SYS_get_mempolicy, &node, nullptr, 0, address, MPOL_F_NODE | MPOL_F_ADDR);
  return status == 0 ? node : -1;
}

int node_of_cores(const std::vector<int>& cores, const std::filesystem::path& described) {
  int common = -1;
  for (const int core : cores) {
    int node = -1;
    std::error_code missing;
    const auto folder = described / fmt::format("cpu{}", core);
    for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
      const std::string name = entry.path().filename();
      const char* end = name.data() + name.size();
      int number = -1;
      if (name.starts_with("node") && std::from_chars(name.data() + 4, end, number).ptr == end) node = number;
    }
    if (node < 0 || (common >= 0 && node != common)) return -1;
    common = node;
  }
  return common;
}

bool pin_thread(int core) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(core), &only);
  return ::sched_setaffinity(0, sizeof(only), &only) == 0;
}

std::vector<int> allowed_cores() {
  // Where OpenMP binds threads it has bound this one to its first place before main.
  std::vector<int> cores = cores_of_openmp();
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (!cores.empty() || ::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(static_cast<std::size_t>(core), &allowed)) cores.push_back(core);
  return cores;
}

}  // namespace trireme::offload
