#pragma once
#include <cstddef>
#include <vector>

#include "io/checkpoint/slices.h"

namespace trireme::io {

/// The file that shows every tensor whole to any HDF5 reader: virtual datasets over the shards beside
/// it. Where a shard is missing or cut off HDF5 shows the fill value (NaN) without an error, so the attribute
/// `complete` lists every file's size and digest.
std::vector<std::byte> master_image(const std::vector<ShardRecord>& shards);

}  // namespace trireme::io
