#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "io/checkpoint/slices.h"

namespace trireme::io {

/// Writes one rank's slices into one HDF5 file of contiguous, page-aligned datasets, syncs it, reads the
/// whole file back and compares it with what was given. HDF5 lays the file out; the bytes go by our own
/// writes.
ShardRecord write_shard(const std::filesystem::path& path, const std::vector<TensorSlice>& slices);

}  // namespace trireme::io
