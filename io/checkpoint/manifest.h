#pragma once
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint/slices.h"

namespace trireme::io {

/// What a checkpoint holds: written as manifest.json, whose own digest is in manifest.json.xxh3.
struct Manifest {
  static constexpr int version = 2;
  std::vector<ShardRecord> shards;
  StoredFile master;
  /// The writer's own: step, data cursor, configuration, random state.
  boost::json::object state;
};

std::string to_json(const ShardRecord& record);
ShardRecord parse_shard_record(std::string_view text, const std::string& where);
std::string to_json(const Manifest& manifest);
Manifest parse_manifest(std::string_view text, const std::string& where);

/// Throws an internal error unless the slices of each tensor agree on shape and dtype and cover it once.
void require_complete(const std::vector<ShardRecord>& shards);

}  // namespace trireme::io
