#include "io/checkpoint/shard_blocks.h"

#include <algorithm>
#include <cstring>

#include "io/aligned_memory.h"
#include "io/file.h"

namespace trireme::io {
namespace {

/// Less than this is copied: a write of its own would cost more.
constexpr std::size_t least_in_place = std::size_t{256} << 10;

}  // namespace

void ShardBlocks::copy_of_piece(std::span<std::byte> into) const {
  const FilePiece& here = piece();
  if (here.slice != FilePiece::between) return slices_[here.slice].read(here.at + used_, into);
  std::memcpy(into.data(), layout_.between.data() + between_ + used_, into.size());
}

/// From the beginning of a piece on, across pieces of its slice, whole pages at page bounds; or nothing.
std::span<const std::byte> ShardBlocks::taken_in_place() const {
  if (used_ > 0 || piece().slice == FilePiece::between || offset() % direct_alignment != 0) return {};
  const TensorSlice& slice = slices_[piece().slice];
  if (slice.make) return {};
  const auto rest = slice.bytes.subspan(piece().at);
  if (reinterpret_cast<std::uintptr_t>(rest.data()) % direct_alignment != 0) return {};
  const std::size_t bytes = std::min<std::size_t>(rest.size(), block_bytes);
  return bytes < least_in_place ? rest.first(0) : rest.first(bytes / direct_alignment * direct_alignment);
}

void ShardBlocks::pass(std::size_t bytes) {
  used_ += bytes;
  if (used_ < piece().bytes) return;
  if (piece().slice == FilePiece::between) between_ += piece().bytes;
  ++piece_, used_ = 0;
}

ShardBlocks::Block ShardBlocks::next(Buffer& memory) {
  Block block;
  block.offset = offset();
  block.bytes = taken_in_place();
  if (!block.bytes.empty()) {
    for (std::size_t done = 0; done < block.bytes.size();) {
      const std::size_t count = std::min(block.bytes.size() - done, rest_of_piece());
      done += count;
      pass(count);
    }
  } else {
    std::size_t room = 0;
    for (std::size_t i = piece_; i < layout_.pieces.size() && room < block_bytes; ++i)
      room = layout_.pieces[i].end() - block.offset;
    room = std::min<std::size_t>(room, block_bytes);
    if (memory.bytes() < room) memory = aligned_memory(room);
    std::size_t done = 0;
    const auto goes_on = [&] {
      return !this->done() && offset() == block.offset + done && taken_in_place().empty();
    };
    while (done < room && (done == 0 || goes_on())) {
      const std::size_t count = std::min(room - done, rest_of_piece());
      copy_of_piece(std::span(memory.as<std::byte>() + done, count));
      done += count;
      pass(count);
    }
    block.bytes = std::span(memory.as<const std::byte>(), done);
  }
  return block;
}

}  // namespace trireme::io
