#include "io/checkpoint/checkpoint.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "io/checkpoint/digest.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;

Manifest load_manifest(const fs::path& folder) {
  const fs::path path = folder / manifest_file;
  constexpr std::uint64_t largest = std::uint64_t{1} << 30;
  for (const char* needed : {manifest_file, manifest_digest_file})
    if (!fs::exists(folder / needed)) fail(ExitCode::damaged, "{}: {} is missing", folder.string(), needed);
  const std::string text = read_text(path, largest);
  if (read_text(folder / manifest_digest_file) != text_digest(text) + "\n")
    fail(ExitCode::damaged, "{}: does not have the digest that {} says", path.string(), manifest_digest_file);
  return parse_manifest(text, path.string());
}

File open_checked(const fs::path& folder, const StoredFile& expected) {
  const fs::path path = folder / expected.name;
  if (expected.name.find('/') != std::string::npos || !fs::exists(path))
    fail(ExitCode::damaged, "{}: the file {} is missing", folder.string(), expected.name);
  File file = File::open_for_reading(path);
  if (file.size() != expected.bytes)
    fail(ExitCode::damaged, "{}: is {} bytes long, the manifest says {}", path.string(), file.size(),
         expected.bytes);
  return file;
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& folder) : folder_(folder), manifest_(load_manifest(folder)) {
  for (std::size_t i = 0; i < manifest_.shards.size(); ++i) {
    const ShardRecord& shard = manifest_.shards[i];
    files_.push_back(open_checked(folder, shard.file));
    for (const StoredSlice& slice : shard.slices) {
      const std::uint64_t chunks = (slice.count * size_of(slice.dtype) + digest_chunk - 1) / digest_chunk;
      if (slice.digests.size() != chunks)
        fail(ExitCode::damaged, "{}: tensor {} has {} digests for {} chunks", folder.string(), slice.name,
             slice.digests.size(), chunks);
      tensors_[slice.name] = {slice.dtype, slice.shape};
      places_[slice.name].push_back({i, &slice});
    }
  }
  files_.push_back(open_checked(folder, manifest_.master));
  for (auto& [name, places] : places_)
    std::sort(places.begin(), places.end(),
              [](const Place& a, const Place& b) { return a.slice->begin < b.slice->begin; });
}

void Checkpoint::read(std::string_view tensor, std::uint64_t first, std::span<std::byte> out) const {
  const auto found = places_.find(tensor);
  if (found == places_.end())
    fail(ExitCode::configuration, "{}: holds no tensor {}", folder_.string(), tensor);
  const std::size_t size = size_of(found->second[0].slice->dtype);
  const std::uint64_t last = first + out.size() / size;
  std::uint64_t got = 0;
  for (const Place& place : found->second) {
    const std::uint64_t begin = std::max(first, place.slice->begin);
    const std::uint64_t end = std::min(last, place.slice->begin + place.slice->count);
    if (begin >= end) continue;
    read_slice(place, begin - place.slice->begin, out.subspan((begin - first) * size, (end - begin) * size));
    got += end - begin;
  }
  require(got == last - first, "{}: elements [{}, {}) of tensor {} are not all there", folder_.string(),
          first, last, tensor);
}

void Checkpoint::read_slice(const Place& place, std::uint64_t first, std::span<std::byte> out) const {
  const StoredSlice& slice = *place.slice;
  const std::size_t size = size_of(slice.dtype);
  const std::uint64_t begin = first * size, end = begin + out.size(), whole = slice.count * size;
  std::vector<std::byte> chunk(std::min(digest_chunk, whole));
  for (std::uint64_t index = begin / digest_chunk; index * digest_chunk < end; ++index) {
    const std::uint64_t at = index * digest_chunk;
    const std::span piece(chunk.data(), std::min(digest_chunk, whole - at));
    files_[place.file].read(slice.offset + at, piece);
    if (digest_of(piece) != slice.digests[index])
      fail(ExitCode::damaged, "{}: tensor {} is damaged between bytes {} and {}",
           files_[place.file].path().string(), slice.name, slice.offset + at,
           slice.offset + at + piece.size());
    const std::uint64_t from = std::max(begin, at), to = std::min(end, at + piece.size());
    std::memcpy(out.data() + (from - begin), piece.data() + (from - at), to - from);
  }
}

void Checkpoint::verify() const {
  std::vector<std::byte> buffer(digest_chunk);
  for (const auto& [name, places] : places_)
    for (const Place& place : places)
      for (std::uint64_t at = 0; at < place.slice->count; at += digest_chunk / size_of(place.slice->dtype)) {
        const std::uint64_t count =
            std::min(digest_chunk / size_of(place.slice->dtype), place.slice->count - at);
        read_slice(place, at, std::span(buffer).first(count * size_of(place.slice->dtype)));
      }
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const StoredFile& expected = i < manifest_.shards.size() ? manifest_.shards[i].file : manifest_.master;
    if (file_digest(files_[i]) != expected.digest)
      fail(ExitCode::damaged, "{}: differs from its digest outside the tensors", files_[i].path().string());
  }
}

std::vector<std::string> checkpoint_names(const fs::path& checkpoints) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(checkpoints, none)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && name.starts_with("step-") && entry.path().extension() != ".tmp")
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Found newest_checkpoint(const fs::path& checkpoints) {
  Found found;
  std::vector<std::string> names = checkpoint_names(checkpoints);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    try {
      Checkpoint checkpoint(checkpoints / *name);
      checkpoint.verify();
      found.checkpoint = std::move(checkpoint);
      return found;
    } catch (const Error& error) {
      if (error.code() != ExitCode::damaged && error.code() != ExitCode::configuration) throw;
      found.refused.push_back(error.what());
    }
  }
  return found;
}

}  // namespace trireme::io
