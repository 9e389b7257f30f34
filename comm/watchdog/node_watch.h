#pragma once
#include <vector>

#include <poll.h>

#include "comm/watchdog/board.h"
#include "comm/watchdog/process.h"
#include "comm/watchdog/sightings.h"
#include "comm/watchdog/snapshot.h"

namespace trireme::comm {

/// What a rank's watchdog sees of its own node: every rank's entry of the board and whether its process
/// lives.
class NodeWatch {
 public:
  /// `ranks` are the node's world ranks in the order of their entries.
  NodeWatch(Board board, std::vector<int> ranks, int self);

  void interests(std::vector<pollfd>& into) const;
  /// Looks who is alive.
  void step(Milliseconds now);
  /// The first rank of the node that is alive and beats is the node's leader.
  bool leads() const;
  /// The leader's part: all entries in full.
  const std::vector<RankSnapshot>& read_work();
  /// Changes whenever a rank dies, fails or leaves.
  std::size_t events() const { return events_; }
  /// Ends the node's processes that are stopped or silent, which cannot end themselves.
  void kill_silent() const;

 private:
  struct Neighbour {
    Process process;
    Milliseconds beat_since{0};
    bool silent = false;
  };
  Board board_;
  std::size_t self_;
  std::vector<RankSnapshot> snapshots_;
  std::vector<Neighbour> neighbours_;
  std::size_t events_ = 0;
};

}  // namespace trireme::comm
