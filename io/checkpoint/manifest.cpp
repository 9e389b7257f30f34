#include "io/checkpoint/manifest.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>
#include <map>

#include "core/error.h"
#include "io/checkpoint/digest.h"
#include "io/strict_json.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

json::object value_of(const StoredFile& file) {
  return {{"name", file.name}, {"bytes", file.bytes}, {"xxh3_128", file.digest}};
}

json::object value_of(const StoredSlice& slice) {
  json::array digests;
  for (const std::uint64_t digest : slice.digests) digests.emplace_back(to_hex(digest));
  return {{"name", slice.name},
          {"dtype", std::string(name_of(slice.dtype))},
          {"shape", json::value_from(slice.shape)},
          {"begin", slice.begin},
          {"count", slice.count},
          {"dataset", slice.dataset},
          {"offset", slice.offset},
          {"xxh3_64_of_1_mib", std::move(digests)}};
}

json::object value_of(const ShardRecord& record) {
  json::array slices;
  for (const StoredSlice& slice : record.slices) slices.push_back(value_of(slice));
  return {{"file", value_of(record.file)}, {"slices", std::move(slices)}};
}

StoredFile file_from(const json::value& value) {
  return {json::value_to<std::string>(value.at("name")), json::value_to<std::uint64_t>(value.at("bytes")),
          json::value_to<std::string>(value.at("xxh3_128"))};
}

StoredSlice slice_from(const json::value& value, const std::string& where) {
  StoredSlice slice;
  slice.name = json::value_to<std::string>(value.at("name"));
  const auto dtype = dtype_from_name(json::value_to<std::string>(value.at("dtype")));
  if (!dtype) fail(ExitCode::damaged, "{}: tensor {} has an unknown dtype", where, slice.name);
  slice.dtype = *dtype;
  slice.shape = json::value_to<std::vector<std::int64_t>>(value.at("shape"));
  slice.begin = json::value_to<std::uint64_t>(value.at("begin"));
  slice.count = json::value_to<std::uint64_t>(value.at("count"));
  slice.dataset = json::value_to<std::string>(value.at("dataset"));
  slice.offset = json::value_to<std::uint64_t>(value.at("offset"));
  for (const json::value& digest : value.at("xxh3_64_of_1_mib").as_array())
    slice.digests.push_back(from_hex(std::string_view(digest.as_string()), where));
  return slice;
}

ShardRecord record_from(const json::value& value, const std::string& where) {
  ShardRecord record{file_from(value.at("file")), {}};
  for (const json::value& slice : value.at("slices").as_array())
    record.slices.push_back(slice_from(slice, where));
  return record;
}

template <typename Read>
auto reading(const std::string& where, Read read) {
  try {
    return read();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail(ExitCode::damaged, "{}: does not have the form of a manifest: {}", where, error.what());
  }
}

}  // namespace

std::string to_json(const ShardRecord& record) {
  return json::serialize(value_of(record));
}

ShardRecord parse_shard_record(std::string_view text, const std::string& where) {
  return reading(where, [&] { return record_from(parse_strict_json(text, where), where); });
}

std::string to_json(const Manifest& manifest) {
  json::array shards;
  for (const ShardRecord& shard : manifest.shards) shards.push_back(value_of(shard));
  const json::object root{{"trireme_checkpoint", Manifest::version},
                          {"state", manifest.state},
                          {"master", value_of(manifest.master)},
                          {"shards", std::move(shards)}};
  return json::serialize(root);
}

Manifest parse_manifest(std::string_view text, const std::string& where) {
  return reading(where, [&] {
    const json::value root = parse_strict_json(text, where);
    const auto version = json::value_to<std::int64_t>(root.at("trireme_checkpoint"));
    if (version != Manifest::version)
      fail(ExitCode::damaged, "{}: is of version {}; this program reads version {}", where, version,
           Manifest::version);
    Manifest manifest;
    manifest.master = file_from(root.at("master"));
    manifest.state = root.at("state").as_object();
    for (const json::value& shard : root.at("shards").as_array())
      manifest.shards.push_back(record_from(shard, where));
    return manifest;
  });
}

void require_complete(const std::vector<ShardRecord>& shards) {
  std::map<std::string, std::vector<const StoredSlice*>> tensors;
  for (const ShardRecord& shard : shards)
    for (const StoredSlice& slice : shard.slices) tensors[slice.name].push_back(&slice);
  for (auto& [name, slices] : tensors) {
    std::sort(slices.begin(), slices.end(), [](const StoredSlice* a, const StoredSlice* b) {
      return std::pair(a->begin, a->count) < std::pair(b->begin, b->count);
    });
    std::uint64_t next = 0;
    for (const StoredSlice* slice : slices) {
      require(slice->shape == slices[0]->shape && slice->dtype == slices[0]->dtype,
              "ranks disagree on the shape or dtype of {}", name);
      require(slice->begin == next, "elements {} to {} of {} are given {}", std::min(next, slice->begin),
              std::max(next, slice->begin), name, slice->begin < next ? "twice" : "by no rank");
      next += slice->count;
    }
    require(next == elements_of(slices[0]->shape), "elements from {} on of {} are given by no rank", next,
            name);
  }
}

}  // namespace trireme::io
