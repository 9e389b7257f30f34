#pragma once
#include "comm/communicator.h"
#include "comm/watchdog/board.h"
#include "comm/watchdog/options.h"
#include "comm/watchdog/roster.h"

namespace trireme::comm {

/// What the ranks tell each other over MPI before the watchdogs go their own way.
struct Introductions {
  Roster roster;
  Board board;
  int local_rank = 0;
};

/// Every rank of the world calls it. `port` is where this rank's watchdog listens.
Introductions introduce(const World& world, const WatchdogOptions& options, std::uint16_t port);

}  // namespace trireme::comm
