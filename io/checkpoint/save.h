#pragma once
#include <boost/json/value.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "io/checkpoint/slices.h"

namespace trireme::io {

/// Where a checkpoint is made before it is visible: NAME.tmp in the folder of checkpoints. One rank calls
/// this; then every rank writes its shard (`write_shard`) there; then one rank commits. Removes what failed
/// saves left. Refuses when the disk has less than `bytes` and a little more free.
std::filesystem::path begin_save(const std::filesystem::path& checkpoints, const std::string& name,
                                 std::uint64_t bytes);

/// "shard-00003.h5"
std::string shard_name(int rank);

/// Checks that the shards cover every tensor once, writes master and manifest, syncs, takes the final name,
/// and names it in `latest`. Until then nothing of it is visible, and a checkpoint of the same step stays
/// readable until this one is in its place; a crash before leaves only the .tmp folder. The final folder.
std::filesystem::path commit_save(const std::filesystem::path& temporary, std::vector<ShardRecord> shards,
                                  const boost::json::object& state);

/// Puts a finished temporary folder in the place of a final name that may be taken.
void take_name(const std::filesystem::path& temporary, const std::filesystem::path& final_path);

}  // namespace trireme::io
