#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "io/checkpoint/shard.h"
#include "io/checkpoint/slices.h"

namespace trireme::io {

/// One file that several ranks write, so that a checkpoint of very many ranks has few files. One rank, its
/// leader, makes it from what all of them plan; each writes its own slices at the places that it is given;
/// when all have, the leader seals it.

/// Makes the file with everything but the slices' bytes. For each rank, where its slices begin in the file.
std::vector<std::vector<std::uint64_t>> make_shared_shard(
    const std::filesystem::path& path, const std::vector<std::vector<StoredSlice>>& slices_of_ranks);

/// Writes one rank's slices, syncs, reads back and compares. The record has no digest of the file yet.
ShardRecord write_shared_part(const std::filesystem::path& path, const std::vector<TensorSlice>& slices,
                              const std::vector<std::uint64_t>& offsets, const ShardOptions& options);

/// Reads the whole file once for its digest; `record` is the leader's own.
void seal_shared_shard(const std::filesystem::path& path, ShardRecord& record);

/// Puts the records of a file's ranks together; files in the order of their first rank.
std::vector<ShardRecord> joined_records(std::vector<ShardRecord> of_ranks);

}  // namespace trireme::io
