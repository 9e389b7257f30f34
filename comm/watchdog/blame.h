#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/watchdog/sightings.h"
#include "comm/watchdog/verdict.h"

namespace trireme::comm {

/// A rank that is inside a call, and the ranks that must still begin it.
struct Wait {
  const RankView* waiter = nullptr;
  const CallView* call = nullptr;
  std::vector<const RankView*> missing;
};

/// Where a chain of ranks that wait for each other ends.
struct Blame {
  enum class Kind { idle, inside, stopped_inside, circle };
  /// The rank to blame: it makes no call, or is inside one that all have begun, where it may have been
  /// stopped by a signal, or waits in a circle.
  const RankView* culprit = nullptr;
  Kind kind = Kind::idle;
  /// The last wait of the chain: its operation is what the culprit has not begun or not finished.
  Wait wait;
};

/// Who waits for whom, by the calls of all ranks.
class WaitGraph {
 public:
  explicit WaitGraph(std::span<const RankView> ranks) : ranks_(ranks) {}

  Wait wait_of(const RankView& waiter, const CallView& call) const;
  /// Follows who is missing from rank to rank until one does not itself wait for another.
  Blame follow(const RankView& waiter, const CallView& call) const;
  /// The oldest wait in which `rank` is missing.
  std::optional<Wait> oldest_wait_for(const RankView& rank) const;

 private:
  Blame follow(const RankView& waiter, const CallView& call, std::vector<const RankView*>& visited) const;
  const CallView* same_communicator(const RankView& rank, const CallView& call) const;
  bool waits_for(const RankView& waiter, const CallView& call, const RankView& rank) const;
  bool member(const RankView& rank, const CallView& call) const;
  /// Another member that a signal has stopped.
  const RankView* stopped_member(const RankView& waiter, const CallView& call) const;

  std::span<const RankView> ranks_;
};

/// Writes operation, communicator, sequence number and missing ranks of a wait into the verdict.
void name_operation(Verdict& verdict, const Wait& wait);

}  // namespace trireme::comm
