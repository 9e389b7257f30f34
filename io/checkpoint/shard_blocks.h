#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "io/checkpoint/shard_layout.h"

namespace trireme::io {

/// The bytes of a shard, or of the part of it whose pieces are given, from front to back, in blocks that are
/// written at once. Whole pages that already lie at page bounds in memory are taken from there; what lies
/// between is gathered in memory of the caller.
class ShardBlocks {
 public:
  static constexpr std::uint64_t block_bytes = std::uint64_t{4} << 20;

  /// Both outlive this.
  ShardBlocks(const ShardLayout& layout, const std::vector<TensorSlice>& slices)
      : layout_(layout), slices_(slices) {}

  struct Block {
    std::uint64_t offset = 0;  ///< in the file
    std::span<const std::byte> bytes;
  };
  bool done() const { return piece_ == layout_.pieces.size(); }
  /// Makes `memory` large enough where it is needed.
  Block next(Buffer& memory);

 private:
  const FilePiece& piece() const { return layout_.pieces[piece_]; }
  std::uint64_t offset() const { return piece().offset + used_; }
  std::size_t rest_of_piece() const { return piece().bytes - used_; }
  void copy_of_piece(std::span<std::byte> into) const;
  std::span<const std::byte> taken_in_place() const;
  void pass(std::size_t bytes);

  const ShardLayout& layout_;
  const std::vector<TensorSlice>& slices_;
  std::size_t piece_ = 0, used_ = 0, between_ = 0;
};

}  // namespace trireme::io
