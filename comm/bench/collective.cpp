#include "comm/bench/collective.h"

#include <array>

#include "comm/bench/names.h"
#include "core/error.h"

namespace trireme::comm::bench {
namespace {

constexpr std::array all_collectives{Collective::all_gather, Collective::reduce_scatter,
                                     Collective::all_reduce, Collective::broadcast,
                                     Collective::all_to_all, Collective::sendrecv};
constexpr std::array all_reductions{Reduction::sum, Reduction::mean, Reduction::max};

/// Neighbours exchange by blocking calls, so even ranks send first: whatever the size and the number of
/// ranks, some pair can always proceed.
std::vector<Call> exchange_with_neighbours(const Workload& workload, int rank, const Placed& placed) {
  const int right = (rank + 1) % workload.ranks;
  const int left = (rank + workload.ranks - 1) % workload.ranks;
  Call send = Call::send(placed.in, workload.elements, workload.dtype, right);
  Call receive = Call::receive(placed.out, workload.elements, workload.dtype, left);
  if (rank % 2 == 0) return {std::move(send), std::move(receive)};
  return {std::move(receive), std::move(send)};
}

}  // namespace

std::string_view name_of(Collective collective) {
  switch (collective) {
    case Collective::all_gather:
      return "all_gather";
    case Collective::reduce_scatter:
      return "reduce_scatter";
    case Collective::all_reduce:
      return "all_reduce";
    case Collective::broadcast:
      return "broadcast";
    case Collective::all_to_all:
      return "all_to_all";
    case Collective::sendrecv:
      return "sendrecv";
  }
  return "unknown";
}

std::vector<Collective> parse_collectives(std::string_view names) {
  std::vector<Collective> chosen;
  for (const std::string& name : split_names(names)) {
    if (name == "all") return {all_collectives.begin(), all_collectives.end()};
    chosen.push_back(value_named(name, all_collectives, "collective"));
  }
  if (chosen.empty())
    fail(ExitCode::usage, "--collective names nothing; name one or more of all, {}", listed(all_collectives));
  return chosen;
}

Reduction parse_reduction(std::string_view name) {
  return value_named(name, all_reductions, "reduction");
}

bool reduces(Collective collective) {
  return collective == Collective::reduce_scatter || collective == Collective::all_reduce;
}

bool is_cut(Collective collective) {
  return collective == Collective::all_gather || collective == Collective::reduce_scatter ||
         collective == Collective::all_to_all;
}

double bus_factor(Collective collective, int ranks) {
  const double n = ranks;
  switch (collective) {
    case Collective::all_reduce:
      return 2 * (n - 1) / n;
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::all_to_all:
      return (n - 1) / n;
    case Collective::broadcast:
    case Collective::sendrecv:
      return 1;
  }
  return 1;
}

double algorithm_bandwidth(double bytes, double seconds) {
  return bytes / seconds / 1e9;
}

double bus_bandwidth(Collective collective, int ranks, double bytes, double seconds) {
  return algorithm_bandwidth(bytes, seconds) * bus_factor(collective, ranks);
}

Workload Workload::fitting(Collective collective, DType dtype, Reduction reduction, int ranks, bool in_place,
                           std::size_t bytes) {
  Workload workload{collective, dtype, reduction, ranks, in_place, bytes / size_of(dtype)};
  if (is_cut(collective)) workload.elements -= workload.elements % static_cast<std::size_t>(ranks);
  return workload;
}

Placed place(const Workload& workload, int rank, void* first, void* second) {
  auto* in = static_cast<std::byte*>(workload.in_place ? second : first);
  auto* out = static_cast<std::byte*>(second);
  const std::size_t own = workload.part_bytes() * static_cast<std::size_t>(rank);
  switch (workload.collective) {
    case Collective::all_gather:
      return {workload.in_place ? in + own : in, out, workload.part(), workload.elements};
    case Collective::reduce_scatter:
      return {in, workload.in_place ? out + own : out, workload.elements, workload.part()};
    case Collective::broadcast:
      return {rank == 0 ? out : in, out, workload.elements, workload.elements};
    default:
      return {in, out, workload.elements, workload.elements};
  }
}

std::vector<Call> calls_of(const Workload& workload, int rank, const Placed& placed) {
  const DType dtype = workload.dtype;
  const Shards even = Shards::even(workload.part(), workload.ranks);
  switch (workload.collective) {
    case Collective::all_gather:
      return {Call::all_gather(placed.in, placed.out, even, dtype)};
    case Collective::reduce_scatter:
      return {Call::reduce_scatter(placed.in, placed.out, even, dtype, workload.reduction)};
    case Collective::all_reduce:
      return {Call::all_reduce(placed.in, placed.out, workload.elements, dtype, workload.reduction)};
    case Collective::broadcast:
      return {Call::broadcast(placed.out, workload.elements, dtype, 0)};
    case Collective::all_to_all:
      return {Call::all_to_all(placed.in, placed.out, even, even, dtype)};
    case Collective::sendrecv:
      return exchange_with_neighbours(workload, rank, placed);
  }
  return {};
}

}  // namespace trireme::comm::bench
