#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "comm/call.h"

namespace trireme::comm::bench {

/// What nccl-tests times, under our names. `sendrecv`: every rank sends to its right neighbour and receives
/// from its left.
enum class Collective : std::uint8_t {
  all_gather,
  reduce_scatter,
  all_reduce,
  broadcast,
  all_to_all,
  sendrecv
};

std::string_view name_of(Collective collective);
/// "all" or names separated by commas; throws a usage error that names the unknown one and lists the known.
std::vector<Collective> parse_collectives(std::string_view names);
Reduction parse_reduction(std::string_view name);
/// True when the operator matters.
bool reduces(Collective collective);
/// True when each rank holds one of `ranks` equal parts of the vector whose size is reported.
bool is_cut(Collective collective);

/// nccl-tests' factor from algorithm to bus bandwidth.
double bus_factor(Collective collective, int ranks);
/// Bytes over seconds, in units of 10^9 bytes.
double algorithm_bandwidth(double bytes, double seconds);
double bus_bandwidth(Collective collective, int ranks, double bytes, double seconds);

/// One size of one collective, as every backend gets it.
struct Workload {
  Collective collective = Collective::all_gather;
  DType dtype = DType::f32;
  Reduction reduction = Reduction::sum;
  int ranks = 1;
  bool in_place = false;
  /// Elements of the whole vector; a multiple of `ranks` where the collective cuts it.
  std::size_t elements = 0;

  /// The largest workload of at most `bytes`; its `elements` are 0 when not even one element a rank fits.
  static Workload fitting(Collective collective, DType dtype, Reduction reduction, int ranks, bool in_place,
                          std::size_t bytes);

  std::size_t bytes() const { return elements * size_of(dtype); }
  /// Elements of one rank's part.
  std::size_t part() const {
    return is_cut(collective) ? elements / static_cast<std::size_t>(ranks) : elements;
  }
  std::size_t part_bytes() const { return part() * size_of(dtype); }
};

/// Where one rank's input and output of a workload lie inside two buffers of the workload's bytes. In place,
/// both are inside `second`.
struct Placed {
  std::byte* in = nullptr;
  std::byte* out = nullptr;
  std::size_t in_elements = 0;
  std::size_t out_elements = 0;
};
Placed place(const Workload& workload, int rank, void* first, void* second);

/// The calls that make up one iteration on this rank, in order.
std::vector<Call> calls_of(const Workload& workload, int rank, const Placed& placed);

}  // namespace trireme::comm::bench
