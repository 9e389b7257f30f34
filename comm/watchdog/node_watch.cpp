#include "comm/watchdog/node_watch.h"

#include <utility>

namespace trireme::comm {
namespace {

/// A watchdog that has not come round for so long leaves its duties to the next rank.
constexpr Milliseconds patience{1000};

bool present(const RankSnapshot& rank) {
  return rank.presence == Presence::running || rank.presence == Presence::failed;
}

}  // namespace

NodeWatch::NodeWatch(Board board, std::vector<int> ranks, int self)
    : board_(std::move(board)),
      self_(static_cast<std::size_t>(self)),
      snapshots_(ranks.size()),
      neighbours_(ranks.size()) {
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    snapshots_[i].rank = ranks[i];
    neighbours_[i].process = Process(board_.rank(static_cast<int>(i)).process.load());
  }
}

void NodeWatch::interests(std::vector<pollfd>& into) const {
  for (std::size_t i = 0; i < snapshots_.size(); ++i)
    if (i != self_ && present(snapshots_[i]) && neighbours_[i].process.descriptor() >= 0)
      into.push_back({neighbours_[i].process.descriptor(), POLLIN, 0});
}

void NodeWatch::step(Milliseconds now) {
  for (std::size_t i = 0; i < snapshots_.size(); ++i) {
    RankSnapshot& snapshot = snapshots_[i];
    Neighbour& neighbour = neighbours_[i];
    const Presence before = snapshot.presence;
    const std::uint64_t beat = snapshot.beat;
    refresh_life(snapshot, board_.rank(static_cast<int>(i)));
    if (snapshot.beat != beat) neighbour.beat_since = now;
    neighbour.silent = i != self_ && now - neighbour.beat_since > patience;
    snapshot.stopped =
        neighbour.silent && snapshot.presence == Presence::running && neighbour.process.stopped();
    if (i != self_ && present(snapshot) && (before == Presence::dead || neighbour.process.gone()))
      snapshot.presence = Presence::dead;
    if (snapshot.presence != before) ++events_;
  }
}

const std::vector<RankSnapshot>& NodeWatch::read_work() {
  for (std::size_t i = 0; i < snapshots_.size(); ++i)
    refresh_work(snapshots_[i], board_.rank(static_cast<int>(i)));
  return snapshots_;
}

bool NodeWatch::leads() const {
  for (std::size_t i = 0; i < self_; ++i)
    if (present(snapshots_[i]) && !neighbours_[i].silent) return false;
  return true;
}

void NodeWatch::kill_silent() const {
  for (std::size_t i = 0; i < snapshots_.size(); ++i)
    if (i != self_ && neighbours_[i].silent && present(snapshots_[i])) neighbours_[i].process.kill();
}

}  // namespace trireme::comm
