#include "comm/bench/limit.h"

namespace trireme::comm::bench {

MemoryMix memory_mix(const Workload& workload, const GroupShape& shape, int rank) {
  const int local = shape.ranks_per_node();
  const std::size_t bytes = workload.bytes();
  const std::size_t block = bytes / static_cast<std::size_t>(local) / sizeof(float) * sizeof(float);
  switch (workload.collective) {
    case Collective::all_gather:
      return {1, 1, workload.in_place ? bytes - workload.part_bytes() : bytes, false};
    case Collective::all_to_all:
    case Collective::sendrecv:
      return {1, 1, bytes, false};
    case Collective::broadcast:
      return rank == 0 ? MemoryMix{} : MemoryMix{1, 1, bytes, false};
    case Collective::reduce_scatter:
      return {local, 1, block, false};
    case Collective::all_reduce:
      return {local, local, block, workload.in_place};
  }
  return {};
}

double memory_limit(const MemoryTimes& cached, const MemoryTimes& streaming) {
  return cached.read_back <= streaming.read_back ? cached.moved : streaming.moved;
}

double link_bytes(const Workload& workload, const GroupShape& shape) {
  if (shape.nodes < 2) return 0;
  const double bytes = static_cast<double>(workload.bytes()) * shape.groups_per_node;
  const double nodes = shape.nodes, others = nodes - 1;
  switch (workload.collective) {
    case Collective::all_gather:
    case Collective::reduce_scatter:
      return bytes * others / nodes;
    case Collective::all_reduce:
      return 2 * bytes * others / nodes;
    case Collective::all_to_all:
      return bytes * shape.ranks_per_node() * others / nodes;
    case Collective::broadcast:
    case Collective::sendrecv:
      return bytes;
  }
  return bytes;
}

}  // namespace trireme::comm::bench
