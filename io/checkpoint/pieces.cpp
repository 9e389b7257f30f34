#include "io/checkpoint/pieces.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace trireme::io {
namespace {

void add_between(std::vector<FilePiece>& pieces, std::uint64_t begin, std::uint64_t end) {
  for (; begin < end; begin = pieces.back().end())
    pieces.push_back({begin, std::min(digest_chunk, end - begin), FilePiece::between, 0});
}

}  // namespace

std::vector<FilePiece> pieces_of(const std::vector<StoredSlice>& slices, std::uint64_t file_bytes,
                                 const std::string& where) {
  std::vector<std::size_t> order(slices.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return slices[a].offset < slices[b].offset; });
  std::vector<FilePiece> pieces;
  std::uint64_t next = 0;
  for (const std::size_t index : order) {
    const StoredSlice& slice = slices[index];
    const std::uint64_t bytes = slice.bytes();
    if (bytes == 0) continue;
    if (slice.offset < next || slice.offset > file_bytes || bytes > file_bytes - slice.offset)
      fail(ExitCode::damaged, "{}: the slice of {} at byte {} overlaps another or leaves the file", where,
           slice.name, slice.offset);
    add_between(pieces, next, slice.offset);
    for (std::uint64_t at = 0; at < bytes; at += digest_chunk)
      pieces.push_back({slice.offset + at, std::min(digest_chunk, bytes - at), index, at});
    next = slice.offset + bytes;
  }
  add_between(pieces, next, file_bytes);
  return pieces;
}

}  // namespace trireme::io
