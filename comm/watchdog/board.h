#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "comm/watchdog/seqlock.h"

namespace trireme::comm {

template <std::size_t size>
using FixedText = std::array<char, size>;

template <std::size_t size>
void assign(FixedText<size>& text, std::string_view value) noexcept {
  const std::size_t length = value.copy(text.data(), size - 1);
  std::memset(text.data() + length, 0, size - length);
}

template <std::size_t size>
std::string_view view_of(const FixedText<size>& text) noexcept {
  return {text.data(), strnlen(text.data(), size)};
}

/// The latest calls of one communicator of one rank. What stands before `communicator` changes with each
/// call, the rest when it opens.
struct CallState {
  static constexpr std::size_t remembered = 8;

  /// Collectives begun; sends and receives do not count, so it is equal on all ranks of a group that agree.
  std::uint64_t begun = 0;
  /// The communicator's own number of its latest call.
  std::uint64_t sequence = 0;
  std::uint64_t signature = 0;
  std::int64_t began_ns = 0, ended_ns = 0;
  std::int32_t active = 0;
  /// The world rank on the other side of a send or receive.
  std::int32_t peer = -1;
  /// Where on the board it stands; filled in by the reader.
  std::int32_t slot = -1;
  std::int32_t unused = 0;
  /// Signatures of the latest collectives: number n is at n % remembered.
  std::array<std::uint64_t, remembered> recent{};

  /// The same on all ranks of the group; zero when the slot is free.
  std::uint64_t communicator = 0;
  /// The group's world ranks when they are evenly spaced; a stride of zero says that they are not.
  std::int32_t first = 0, stride = 0, size = 0;
  FixedText<44> name{};
};

/// What a compute thread last said it was doing.
struct PhaseState {
  std::uint64_t count = 0;
  std::int64_t since_ns = 0;
  /// Zero where the phase has no limit of its own.
  std::int64_t limit_ms = 0;
  FixedText<40> name{};
};

/// An error that a rank's program ends with.
struct FailureState {
  std::uint64_t code = 0;
  FixedText<248> message{};
};

/// One rank's part of the board; only that rank writes it.
struct alignas(64) RankEntry {
  static constexpr int communicators = 32;
  enum State : std::uint32_t { absent, running, left, failed };

  std::atomic<std::uint32_t> state{absent};
  std::atomic<std::int32_t> process{0};
  /// Counts the rounds of the rank's watchdog thread.
  std::atomic<std::uint64_t> beat{0};
  std::atomic_flag phase_taken = ATOMIC_FLAG_INIT;
  alignas(64) Seqlock<PhaseState> phase;
  alignas(64) Seqlock<FailureState> failure;
  struct alignas(64) Slot {
    Seqlock<CallState> call;
  };
  std::array<Slot, communicators> slots;
};

/// The first verdict that any rank of the node came to.
struct alignas(64) VerdictEntry {
  static constexpr std::size_t capacity = 2040;
  enum State : std::uint32_t { empty, writing, ready };
  std::atomic<std::uint32_t> state{empty};
  std::uint32_t length = 0;
  std::array<char, capacity> bytes{};

  /// False when another rank was first.
  bool propose(std::string_view text) noexcept;
  /// Empty until there is one.
  std::string_view read() const noexcept;
};

/// Shared memory of the ranks of one node: an entry for each and one verdict.
class Board {
 public:
  /// Makes the segment; one rank of the node does, and removes its name when the others have opened it.
  static Board create(const std::string& name, int ranks);
  static Board open(const std::string& name, int ranks);
  static Board in_process(int ranks);
  void remove_name() const;

  int ranks() const { return ranks_; }
  RankEntry& rank(int local_rank) const { return entries_[local_rank]; }
  VerdictEntry& verdict() const { return *verdict_; }

 private:
  Board(std::string name, std::shared_ptr<void> memory, int ranks);
  static Board map(const std::string& name, int ranks, int flags);

  std::string name_;
  std::shared_ptr<void> memory_;
  VerdictEntry* verdict_;
  RankEntry* entries_;
  int ranks_;
};

}  // namespace trireme::comm
