#include "io/checkpoint/checkpoint.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/pieces.h"
#include "io/file.h"
#include "io/read_ahead.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;

/// What cannot be opened for its own sake is as good as damaged.
template <typename Work>
auto blaming_the_file(Work work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() == ExitCode::configuration) fail(ExitCode::damaged, "{}", error.what());
    throw;
  }
}

Manifest load_manifest(const fs::path& folder) {
  const fs::path path = folder / manifest_file;
  constexpr std::uint64_t largest = std::uint64_t{1} << 30;
  for (const char* needed : {manifest_file, manifest_digest_file})
    if (!fs::exists(folder / needed)) fail(ExitCode::damaged, "{}: {} is missing", folder.string(), needed);
  const std::string text = blaming_the_file([&] { return read_text(path, largest); });
  const std::string digest = blaming_the_file([&] { return read_text(folder / manifest_digest_file); });
  if (digest != text_digest(text) + "\n")
    fail(ExitCode::damaged, "{}: does not have the digest that {} says", path.string(), manifest_digest_file);
  return parse_manifest(text, path.string());
}

void check_file(const fs::path& folder, const StoredFile& expected) {
  const fs::path path = folder / expected.name;
  std::error_code status;
  if (expected.name.find('/') != std::string::npos || !fs::exists(path, status))
    fail(ExitCode::damaged, "{}: the file {} {}", folder.string(), expected.name,
         status ? "cannot be opened: " + std::string(std::strerror(status.value())) : "is missing");
  if (!fs::is_regular_file(path)) fail(ExitCode::damaged, "{}: is not a regular file", path.string());
  const std::uint64_t bytes = fs::file_size(path, status);
  if (status || bytes != expected.bytes)
    fail(ExitCode::damaged, "{}: is {} bytes long, the manifest says {}", path.string(), bytes,
         expected.bytes);
}

[[noreturn]] void damaged(const fs::path& path, const StoredSlice& slice, std::uint64_t at,
                          std::uint64_t bytes) {
  fail(ExitCode::damaged, "{}: tensor {} is damaged between bytes {} and {} of the file", path.string(),
       slice.name, slice.offset + at, slice.offset + at + bytes);
}

std::uint64_t chunk_bytes(const StoredSlice& slice, std::uint64_t chunk) {
  return std::min(digest_chunk, slice.bytes() - chunk * digest_chunk);
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& folder) : folder_(folder), manifest_(load_manifest(folder)) {
  for (std::size_t i = 0; i < manifest_.shards.size(); ++i) {
    const ShardRecord& shard = manifest_.shards[i];
    check_file(folder, shard.file);
    for (const StoredSlice& slice : shard.slices) {
      const std::uint64_t chunks = (slice.bytes() + digest_chunk - 1) / digest_chunk;
      if (slice.digests.size() != chunks)
        fail(ExitCode::damaged, "{}: tensor {} has {} digests for {} chunks", folder.string(), slice.name,
             slice.digests.size(), chunks);
      tensors_[slice.name] = {slice.dtype, slice.shape};
      places_[slice.name].push_back({i, &slice});
    }
  }
  check_file(folder, manifest_.master);
  for (auto& [name, places] : places_)
    std::sort(places.begin(), places.end(),
              [](const Place& a, const Place& b) { return a.slice->begin < b.slice->begin; });
}

void Checkpoint::read(std::string_view tensor, std::uint64_t first, std::span<std::byte> out) const {
  const Wanted one{tensor, first, out};
  read(std::span(&one, 1));
}

ReadTally Checkpoint::read(std::span<const Wanted> wanted) const {
  std::vector<std::vector<Use>> uses = uses_of(wanted);
  ReadTally tally;
  for (std::size_t i = 0; i < uses.size(); ++i)
    if (!uses[i].empty()) tally.bytes += read_file(manifest_.shards[i].file, uses[i]);
  return tally;
}

std::vector<std::vector<Checkpoint::Use>> Checkpoint::uses_of(std::span<const Wanted> wanted) const {
  std::vector<std::vector<Use>> uses(manifest_.shards.size());
  for (const Wanted& one : wanted) {
    const auto found = places_.find(one.tensor);
    if (found == places_.end())
      fail(ExitCode::configuration, "{}: holds no tensor {}", folder_.string(), one.tensor);
    const std::size_t size = size_of(found->second[0].slice->dtype);
    const std::uint64_t last = one.first + one.size() / size;
    std::uint64_t got = 0;
    for (const Place& place : found->second) {
      const StoredSlice& slice = *place.slice;
      const std::uint64_t begin = std::max(one.first, slice.begin);
      const std::uint64_t end = std::min(last, slice.begin + slice.count);
      if (begin >= end) continue;
      const std::uint64_t final_byte = (end - slice.begin) * size - 1;
      for (std::uint64_t chunk = (begin - slice.begin) * size / digest_chunk;
           chunk <= final_byte / digest_chunk; ++chunk)
        uses[place.file].push_back({&slice, chunk, &one});
      got += end - begin;
    }
    require(got == last - one.first, "elements [{}, {}) of tensor {} are not all in {}", one.first, last,
            one.tensor, folder_.string());
  }
  return uses;
}

Checkpoint::Part Checkpoint::part_of(const Use& use) {
  const std::uint64_t size = size_of(use.slice->dtype), at = use.chunk * digest_chunk;
  const std::uint64_t wanted_begin = use.wanted->first * size, chunk_begin = use.slice->begin * size + at;
  const std::uint64_t bytes = chunk_bytes(*use.slice, use.chunk);
  const std::uint64_t begin = std::max(wanted_begin, chunk_begin);
  const std::uint64_t end = std::min(wanted_begin + use.wanted->size(), chunk_begin + bytes);
  const std::uint64_t into = begin - wanted_begin;
  return {bytes, begin - chunk_begin, end - begin, into,
          use.wanted->take ? nullptr : use.wanted->out.data() + into};
}

std::uint64_t Checkpoint::read_file(const StoredFile& file, std::vector<Use>& uses) const {
  const auto offset = [](const Use& use) { return use.slice->offset + use.chunk * digest_chunk; };
  std::stable_sort(uses.begin(), uses.end(),
                   [&](const Use& a, const Use& b) { return offset(a) < offset(b); });
  std::vector<Extent> extents;
  for (const Use& use : uses) {
    const Part part = part_of(use);
    const bool shared = !extents.empty() && extents.back().offset == offset(use);
    if (shared) {
      extents.back().into = nullptr;
    } else {
      extents.push_back({offset(use), part.chunk_bytes, part.is_whole() ? part.into : nullptr});
    }
  }
  const fs::path path = folder_ / file.name;
  std::uint64_t requested = 0;
  blaming_the_file([&] {
    ReadAhead ahead(path, std::move(extents));
    std::span<const std::byte> chunk;
    for (std::size_t i = 0; i < uses.size(); ++i) {
      const StoredSlice& slice = *uses[i].slice;
      if (i == 0 || offset(uses[i - 1]) != offset(uses[i])) {
        chunk = ahead.next();
        if (digest_of(chunk) != slice.digests[uses[i].chunk])
          damaged(path, slice, uses[i].chunk * digest_chunk, chunk.size());
      }
      const Part part = part_of(uses[i]);
      const auto wanted = chunk.subspan(part.begin, part.bytes);
      if (!part.into) {
        uses[i].wanted->take(part.at, wanted);
      } else if (wanted.data() != part.into) {
        std::memcpy(part.into, wanted.data(), wanted.size());
      }
    }
    requested = ahead.requested();
  });
  return requested;
}

void Checkpoint::verify() const {
  for (const ShardRecord& shard : manifest_.shards) verify_file(shard.file, shard.slices);
  verify_file(manifest_.master, {});
}

void Checkpoint::verify_file(const StoredFile& expected, const std::vector<StoredSlice>& slices) const {
  const fs::path path = folder_ / expected.name;
  const std::vector<FilePiece> pieces = pieces_of(slices, expected.bytes, path.string());
  std::vector<Extent> extents;
  for (const FilePiece& piece : pieces) extents.push_back({piece.offset, piece.bytes});
  blaming_the_file([&] {
    ReadAhead ahead(path, std::move(extents));
    RunningDigest whole;
    for (const FilePiece& piece : pieces) {
      const auto bytes = ahead.next();
      if (piece.slice != FilePiece::between && digest_of(bytes) != slices[piece.slice].digests[piece.chunk()])
        damaged(path, slices[piece.slice], piece.at, piece.bytes);
      whole.add(bytes);
    }
    if (whole.text() != expected.digest)
      fail(ExitCode::damaged, "{}: differs from its digest outside the tensors", path.string());
  });
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
      if (error.code() != ExitCode::damaged) throw;
      found.refused.push_back(error.what());
    }
  }
  return found;
}

}  // namespace trireme::io
