#pragma once
#include <filesystem>
#include <functional>
#include <vector>

#include "io/checkpoint/slices.h"

namespace trireme::io {

/// How much of a file is read back from the disk and compared after it was written.
enum class Reread : std::uint8_t { sampled, whole };

struct ShardOptions {
  Reread reread = Reread::whole;
};

/// Writes one rank's slices into one HDF5 file of contiguous, page-aligned datasets, syncs it, reads it back
/// and compares. HDF5 lays the file out; the bytes go around the page cache by our own writes. Needs a few
/// MiB of memory beside the slices.
ShardRecord write_shard(const std::filesystem::path& path, const std::vector<TensorSlice>& slices,
                        const ShardOptions& options = {});

}  // namespace trireme::io
