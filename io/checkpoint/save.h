#pragma once
#include <boost/json/value.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "io/checkpoint/slices.h"

namespace trireme::io {

/// Where a checkpoint is made before it is visible: "step-00000012.tmp" in the folder of checkpoints. One
/// rank calls this; then every rank writes its shard (`write_shard`) there; then one rank commits. Refuses
/// when the disk has less than `bytes` free.
std::filesystem::path begin_save(const std::filesystem::path& checkpoints, const std::string& name,
                                 std::uint64_t bytes);

/// "shard-00003.h5"
std::string shard_name(int rank);

/// Checks that the shards cover every tensor once, writes master and manifest, syncs, renames to the final
/// name, and names it in `latest`. Until the rename nothing of it is visible; a crash before leaves only the
/// .tmp folder, which the next save removes.
void commit_save(const std::filesystem::path& temporary, std::vector<ShardRecord> shards,
                 const boost::json::object& state);

/// Removes all but the newest `keep` checkpoints, and what failed saves left.
void prune(const std::filesystem::path& checkpoints, int keep);

}  // namespace trireme::io
