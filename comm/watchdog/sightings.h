#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "comm/watchdog/snapshot.h"

namespace trireme::comm {

using Milliseconds = std::chrono::milliseconds;

struct CallView {
  CallState state;
  /// How long the call that is active has been so.
  Milliseconds age{0};
};

/// A rank as its observer sees it: the latest snapshot, and for how long each part of it has not changed.
struct RankView {
  int rank = -1;
  int node = 0;
  std::string host;
  Presence presence = Presence::absent;
  bool stopped = false;
  Milliseconds presence_age{0}, beat_age{0}, phase_age{0};
  PhaseState phase;
  FailureState failure;
  std::vector<CallView> calls;
};

/// Follows snapshots over time. All ages are of the observer's own clock, so clocks of nodes need not agree,
/// and a run that was suspended as a whole and continued is not taken for one that hangs.
class Sightings {
 public:
  Sightings(std::vector<int> node_of_rank, std::vector<std::string> host_of_node);

  void see(const RankSnapshot& snapshot, Milliseconds now);
  /// The node's ranks that have not left are gone.
  void lose(int node, Milliseconds now);
  bool all_left(int node) const;
  std::vector<RankView> views(Milliseconds now) const;

 private:
  struct Sighting {
    RankSnapshot latest;
    Milliseconds presence_since{0}, beat_since{0}, phase_since{0};
    std::vector<Milliseconds> call_since;
  };
  std::vector<int> node_of_rank_;
  std::vector<std::string> host_of_node_;
  std::vector<Sighting> sightings_;
};

}  // namespace trireme::comm
