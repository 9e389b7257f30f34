#pragma once
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/shm/control.h"

namespace trireme::comm {

/// Runs from the first time somebody had to wait: calls that need not wait never read the clock.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds limit) : limit_(limit) {}
  bool passed() {
    const auto now = std::chrono::steady_clock::now();
    if (!end_) end_ = now + limit_;
    return now > *end_;
  }
  std::chrono::nanoseconds slice() const {
    return std::min<std::chrono::nanoseconds>(limit_, std::chrono::milliseconds(20));
  }

 private:
  std::chrono::milliseconds limit_;
  std::optional<std::chrono::steady_clock::time_point> end_;
};

/// The lock-step of a group over its control memory. A round is: open, write into one's own slot, meet, read
/// the others' slots.
class Rounds {
 public:
  Rounds(std::shared_ptr<const SharedSegment> control, const std::vector<int>& part_of_rank, int rank,
         int polls, const Sharing& sharing);

  int size() const { return static_cast<int>(bases_.size()); }
  const ControlLayout& layout() const { return layout_; }

  /// Turns to the next round's slots.
  void open() { ++round_; }
  Descriptor& descriptor(int rank) const { return slot(rank).descriptor; }
  std::byte* data(int rank) const { return reinterpret_cast<std::byte*>(&slot(rank) + 1); }
  /// Arrives and waits for all others. False when the deadline passes first; throws when another rank has
  /// given up.
  bool meet(Deadline& deadline);
  /// "ranks 2, 3 have not come", after meet returned false; numbered in the group.
  std::vector<int> missing() const;

  Channel& channel(int from, int to) const;
  std::byte* channel_data(int from, int to, std::size_t which) const;
  /// Waits as meet does, for a flag that `rank` raises.
  bool wait(Flag& flag, std::uint32_t target, int rank, Deadline& deadline);
  /// From now on every rank that waits for this one throws.
  void give_up() { head(rank_).gave_up.store(1, std::memory_order_seq_cst); }

 private:
  PartHead& head(int rank) const { return *reinterpret_cast<PartHead*>(base(rank)); }
  SlotHead& slot(int rank) const {
    return *reinterpret_cast<SlotHead*>(base(rank) + layout_.slot(round_ & 1));
  }
  std::byte* base(int rank) const { return bases_[static_cast<std::size_t>(rank)]; }
  bool wait_long(Flag& awaited, std::uint32_t target, int rank, Deadline& deadline);
  void throw_if_given_up(int rank) const;

  std::shared_ptr<const SharedSegment> control_;
  std::vector<std::byte*> bases_;
  ControlLayout layout_;
  int rank_;
  int polls_;
  const Sharing& sharing_;
  std::uint32_t round_ = 0;
};

}  // namespace trireme::comm
