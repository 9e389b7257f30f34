#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "io/checkpoint/pieces.h"
#include "io/checkpoint/slices.h"

namespace trireme::io {

/// Where HDF5 puts each slice of a file, and what it wrote itself between them.
struct ShardLayout {
  std::vector<StoredSlice> slices;  ///< in the order given, without digests
  std::uint64_t bytes = 0;          ///< of the file, whole pages
  std::vector<FilePiece> pieces;
  std::vector<std::byte> between;  ///< of all pieces between slices, one after the other
};

/// Asks HDF5 for a file of these slices, in memory. The same slices give the same bytes. `name` is for
/// messages.
ShardLayout lay_out_shard(const std::string& name, const std::vector<TensorSlice>& slices);

}  // namespace trireme::io
