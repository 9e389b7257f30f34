#include "comm/watchdog/sightings.h"

#include <algorithm>
#include <utility>

namespace trireme::comm {
namespace {

bool same_call(const CallState& a, const CallState& b) {
  return a.communicator == b.communicator && a.sequence == b.sequence && a.begun == b.begun &&
         a.active == b.active;
}

}  // namespace

Sightings::Sightings(std::vector<int> node_of_rank, std::vector<std::string> host_of_node)
    : node_of_rank_(std::move(node_of_rank)),
      host_of_node_(std::move(host_of_node)),
      sightings_(node_of_rank_.size()) {
  for (std::size_t rank = 0; rank < sightings_.size(); ++rank)
    sightings_[rank].latest.rank = static_cast<int>(rank);
}

void Sightings::see(const RankSnapshot& snapshot, Milliseconds now) {
  if (snapshot.rank < 0 || static_cast<std::size_t>(snapshot.rank) >= sightings_.size()) return;
  Sighting& sighting = sightings_[static_cast<std::size_t>(snapshot.rank)];
  const RankSnapshot& before = sighting.latest;
  if (snapshot.presence != before.presence) sighting.presence_since = now;
  if (snapshot.beat != before.beat || before.presence == Presence::absent) sighting.beat_since = now;
  if (snapshot.phase.count != before.phase.count) sighting.phase_since = now;
  std::vector<Milliseconds> call_since;
  for (const CallState& call : snapshot.calls) {
    const auto found = std::find_if(before.calls.begin(), before.calls.end(),
                                    [&](const CallState& old) { return same_call(old, call); });
    call_since.push_back(found == before.calls.end()
                             ? now
                             : sighting.call_since[static_cast<std::size_t>(found - before.calls.begin())]);
  }
  sighting.call_since = std::move(call_since);
  sighting.latest = snapshot;
}

void Sightings::lose(int node, Milliseconds now) {
  for (std::size_t rank = 0; rank < sightings_.size(); ++rank) {
    Sighting& sighting = sightings_[rank];
    if (node_of_rank_[rank] != node || sighting.latest.presence == Presence::left) continue;
    if (sighting.latest.presence == Presence::lost) continue;
    sighting.latest.presence = Presence::lost;
    sighting.presence_since = now;
  }
}

bool Sightings::all_left(int node) const {
  for (std::size_t rank = 0; rank < sightings_.size(); ++rank)
    if (node_of_rank_[rank] == node && sightings_[rank].latest.presence != Presence::left) return false;
  return true;
}

std::vector<RankView> Sightings::views(Milliseconds now) const {
  std::vector<RankView> views(sightings_.size());
  for (std::size_t rank = 0; rank < sightings_.size(); ++rank) {
    const Sighting& sighting = sightings_[rank];
    const RankSnapshot& latest = sighting.latest;
    RankView& view = views[rank];
    view.rank = static_cast<int>(rank);
    view.node = node_of_rank_[rank];
    view.host = host_of_node_[static_cast<std::size_t>(view.node)];
    view.presence = latest.presence;
    view.stopped = latest.stopped;
    view.presence_age = now - sighting.presence_since;
    view.beat_age = now - sighting.beat_since;
    view.phase_age = now - sighting.phase_since;
    view.phase = latest.phase;
    view.failure = latest.failure;
    for (std::size_t i = 0; i < latest.calls.size(); ++i)
      view.calls.push_back(
          {latest.calls[i], latest.calls[i].active ? now - sighting.call_since[i] : Milliseconds{0}});
  }
  return views;
}

}  // namespace trireme::comm
