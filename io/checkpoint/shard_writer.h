#pragma once
#include <string>
#include <vector>

#include "io/checkpoint/shard.h"
#include "io/checkpoint/shard_layout.h"
#include "io/file.h"

namespace trireme::io {

/// Writes the layout's pieces, takes their digests, syncs, reads back and compares. The digest of the bytes
/// written: of the file, where the pieces are all of it.
std::string write_pieces(File& file, ShardLayout& layout, const std::vector<TensorSlice>& slices,
                         Reread much);

}  // namespace trireme::io
