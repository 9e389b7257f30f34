#pragma once
#include <cstddef>
#include <vector>

#include "comm/call.h"

namespace trireme::comm {

/// Bytes of device memory that have their place at `stage` bytes into a host buffer.
struct StagedRange {
  std::byte* device = nullptr;
  std::size_t stage = 0;
  std::size_t bytes = 0;
};

/// A part of a call that host buffers of a fixed size can hold. The memory of `call` is null; `in` and `out`
/// say what lies where in the host's two buffers.
struct Piece {
  Call call;
  std::vector<StagedRange> in, out;
  std::size_t in_bytes = 0, out_bytes = 0;
};

/// Cuts a call of one rank so that no piece moves more than `most_bytes` of the whole vector, as far as every
/// rank can tell alike how to cut it: an all_to_all stays whole.
std::vector<Piece> pieces_of(const Call& call, int rank, std::size_t most_bytes);

}  // namespace trireme::comm
