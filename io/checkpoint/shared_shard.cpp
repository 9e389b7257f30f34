#include "io/checkpoint/shared_shard.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "core/error.h"
#include "io/aligned_memory.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/shard_layout.h"
#include "io/checkpoint/shard_writer.h"
#include "io/file.h"
#include "io/read_ahead.h"

namespace trireme::io {
namespace {

std::uint64_t page_up(std::uint64_t offset) {
  return (offset + direct_alignment - 1) / direct_alignment * direct_alignment;
}

/// HDF5's own bytes: whole pages, since slices have theirs for themselves.
void write_between(File& file, const ShardLayout& layout) {
  std::size_t between = 0;
  for (const FilePiece& piece : layout.pieces) {
    if (piece.slice != FilePiece::between) continue;
    const auto bytes = std::span(layout.between).subspan(between, piece.bytes);
    between += piece.bytes;
    const std::size_t rest_of_page = std::min(page_up(piece.offset) - piece.offset, piece.bytes);
    const auto tail = bytes.first(rest_of_page), pages = bytes.subspan(rest_of_page);
    require(std::all_of(tail.begin(), tail.end(), [](std::byte byte) { return byte == std::byte{0}; }) &&
                piece.end() % direct_alignment == 0,
            "{}: two writers share the page of byte {}", file.path().string(), piece.offset);
    if (pages.empty()) continue;
    const Buffer memory = aligned_memory(pages.size());
    std::memcpy(memory.data(), pages.data(), pages.size());
    file.write(page_up(piece.offset), std::span(memory.as<const std::byte>(), pages.size()));
  }
}

/// One rank's pieces of the file: its slices, each to the end of its last page.
ShardLayout part_of(const std::vector<TensorSlice>& slices, const std::vector<std::uint64_t>& offsets) {
  require(slices.size() == offsets.size(), "{} slices have {} places in a file", slices.size(),
          offsets.size());
  ShardLayout part;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const TensorSlice& slice = slices[i];
    part.slices.push_back(planned_slice(slice.name, slice.dtype, slice.shape, slice.begin, slice.count()));
    part.slices.back().offset = offsets[i];
    const std::uint64_t bytes = slice.size(), end = offsets[i] + bytes;
    for (std::uint64_t at = 0; at < bytes; at += digest_chunk)
      part.pieces.push_back({offsets[i] + at, std::min(digest_chunk, bytes - at), i, at});
    if (page_up(end) > end) part.pieces.push_back({end, page_up(end) - end, FilePiece::between, 0});
  }
  std::sort(part.pieces.begin(), part.pieces.end(),
            [](const FilePiece& a, const FilePiece& b) { return a.offset < b.offset; });
  for (const FilePiece& piece : part.pieces)
    if (piece.slice == FilePiece::between) part.between.resize(part.between.size() + piece.bytes);
  return part;
}

}  // namespace

std::vector<std::vector<std::uint64_t>> make_shared_shard(
    const std::filesystem::path& path, const std::vector<std::vector<StoredSlice>>& slices_of_ranks) {
  std::vector<StoredSlice> all;
  for (const auto& slices : slices_of_ranks) all.insert(all.end(), slices.begin(), slices.end());
  const ShardLayout layout = lay_out_planned(path.string(), std::move(all), true);
  File file = File::create_for_direct_writing(path);
  file.reserve(layout.bytes);
  file.resize(layout.bytes);
  write_between(file, layout);
  file.sync();
  std::vector<std::vector<std::uint64_t>> offsets;
  auto next = layout.slices.begin();
  for (const auto& slices : slices_of_ranks) {
    std::vector<std::uint64_t>& mine = offsets.emplace_back();
    for (std::size_t i = 0; i < slices.size(); ++i) mine.push_back((next++)->offset);
  }
  return offsets;
}

ShardRecord write_shared_part(const std::filesystem::path& path, const std::vector<TensorSlice>& slices,
                              const std::vector<std::uint64_t>& offsets, const ShardOptions& options) {
  ShardLayout part = part_of(slices, offsets);
  File file = File::open_for_direct_writing(path);
  write_pieces(file, part, slices, options.reread);
  return {{path.filename().string(), 0, ""}, std::move(part.slices)};
}

void seal_shared_shard(const std::filesystem::path& path, ShardRecord& record) {
  const std::uint64_t bytes = File::open_for_reading(path).size();
  std::vector<Extent> extents;
  for (std::uint64_t at = 0; at < bytes; at += ReadAhead::largest_extent)
    extents.push_back({at, std::min(ReadAhead::largest_extent, bytes - at)});
  const std::size_t count = extents.size();
  ReadAhead ahead(path, std::move(extents));
  RunningDigest whole;
  for (std::size_t i = 0; i < count; ++i) whole.add(ahead.next());
  record.file.bytes = bytes, record.file.digest = whole.text();
}

std::vector<ShardRecord> joined_records(std::vector<ShardRecord> of_ranks) {
  std::vector<ShardRecord> files;
  std::map<std::string, std::size_t> places;
  for (ShardRecord& record : of_ranks) {
    const auto [place, is_new] = places.emplace(record.file.name, files.size());
    if (is_new) {
      files.push_back(std::move(record));
      continue;
    }
    ShardRecord& file = files[place->second];
    require(record.file.digest.empty(), "two ranks sealed {}", record.file.name);
    std::move(record.slices.begin(), record.slices.end(), std::back_inserter(file.slices));
  }
  return files;
}

}  // namespace trireme::io
