#pragma once
#include <cstdint>
#include <vector>

#include "comm/watchdog/board.h"
#include "comm/watchdog/packing.h"

namespace trireme::comm {

enum class Presence : std::uint32_t { absent, running, left, failed, dead, lost };

/// A rank's entry of the board at one moment, with what its node's leader knows besides: plain data that
/// travels between nodes.
struct RankSnapshot {
  int rank = -1;
  Presence presence = Presence::absent;
  /// The kernel says that the process is stopped.
  bool stopped = false;
  std::uint64_t beat = 0;
  PhaseState phase;
  FailureState failure;
  std::vector<CallState> calls;

  void pack(Packer& packer) const;
  static RankSnapshot unpack(Unpacker& unpacker);
};

/// Brings presence and beat up to date.
void refresh_life(RankSnapshot& snapshot, const RankEntry& entry);
/// Brings phase, failure and calls up to date; keeps the parts that are being written at this moment as they
/// were.
void refresh_work(RankSnapshot& snapshot, const RankEntry& entry);

}  // namespace trireme::comm
