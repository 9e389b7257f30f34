#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "comm/call.h"
#include "comm/shm/flag.h"
#include "comm/shm/node_heap.h"

namespace trireme::comm {

/// What a rank tells the others of its call.
struct Descriptor {
  Call::Kind kind = Call::Kind::barrier;
  DType dtype = DType::f32;
  Reduction reduction = Reduction::sum;
  /// all_to_all: this rank's data follow its counts in the slot.
  bool data_inline = false;
  std::int32_t peer = 0;
  std::uint64_t elements = 0;
  /// A digest of the shards.
  std::uint64_t cut = 0;
  Reference in, out;

  /// Whether both belong to one collective call.
  bool agrees_with(const Descriptor& other) const {
    return kind == other.kind && dtype == other.dtype && reduction == other.reduction && peer == other.peer &&
           elements == other.elements && cut == other.cut;
  }
};

/// Heads a slot: what a waiting rank polls and what it then reads travel in one cache line.
struct alignas(64) SlotHead {
  Flag arrived;
  Descriptor descriptor;
};
static_assert(sizeof(SlotHead) == 64);

/// Heads a rank's part.
struct alignas(128) PartHead {
  /// Set by the owner when it has given up on the group, so that late ranks do not take its last count for
  /// consent.
  std::atomic<std::uint32_t> gave_up{0};
};

/// Messages from the rank in whose part it lies to one other rank: the sender raises `sent`, the receiver
/// `taken`.
struct Channel {
  alignas(128) Flag sent;
  alignas(64) Descriptor offered;
  alignas(128) Flag taken;
  alignas(64) Descriptor wanted;
};

/// How a rank's part of a communicator's control memory is laid out: head, channels to each rank, two slots,
/// two chunks for each channel.
///
/// A slot holds a descriptor and staged data. Ranks use the two in turn; each round ends when all have
/// arrived, so whoever writes a slot knows that its contents of two rounds ago have been read.
class ControlLayout {
 public:
  explicit ControlLayout(int ranks)
      : ranks_(static_cast<std::size_t>(ranks)),
        channel_chunk_(
            std::clamp((std::size_t{1} << 20) / ranks_ / 64 * 64, std::size_t{4096}, std::size_t{65536})) {}

  static constexpr std::size_t slot_data_bytes = std::size_t{256} << 10;
  std::size_t channel_chunk() const { return channel_chunk_; }
  std::size_t part_bytes() const { return channel_data(ranks_, 0); }

  std::size_t channel(std::size_t to) const { return sizeof(PartHead) + to * sizeof(Channel); }
  std::size_t slot(std::size_t which) const {
    return channel(ranks_) + which * (sizeof(SlotHead) + slot_data_bytes + 64);
  }
  std::size_t channel_data(std::size_t to, std::size_t which) const {
    return slot(2) + (2 * to + which) * channel_chunk_;
  }

 private:
  std::size_t ranks_;
  std::size_t channel_chunk_;
};

}  // namespace trireme::comm
