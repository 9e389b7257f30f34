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
/// The same of slices that are planned but not at hand, each in its dataset. In a file that several ranks
/// write no two slices share a page, and HDF5's own bytes share none with a slice.
ShardLayout lay_out_planned(const std::string& name, std::vector<StoredSlice> slices, bool several_writers);
/// A file of whole tensors in their shapes, with this text as its attribute "state".
ShardLayout lay_out_whole(const std::string& name, std::vector<StoredSlice> tensors,
                          const std::string& state);

/// A slice on its way into a file: its dataset's name and room for its digests.
StoredSlice planned_slice(const std::string& name, DType dtype, const std::vector<std::int64_t>& shape,
                          std::uint64_t begin, std::uint64_t count);

}  // namespace trireme::io
