#include "comm/watchdog/blame.h"

#include <algorithm>

#include "comm/watchdog/signature.h"

namespace trireme::comm {
namespace {

const CallView* oldest_active(const RankView& rank) {
  const CallView* oldest = nullptr;
  for (const CallView& call : rank.calls)
    if (call.state.active && (!oldest || call.age > oldest->age)) oldest = &call;
  return oldest;
}

}  // namespace

const CallView* WaitGraph::same_communicator(const RankView& rank, const CallView& call) const {
  for (const CallView& other : rank.calls)
    if (other.state.communicator == call.state.communicator) return &other;
  return nullptr;
}

bool WaitGraph::member(const RankView& rank, const CallView& call) const {
  if (same_communicator(rank, call)) return true;
  const CallState& state = call.state;
  if (state.stride == 0) return false;
  const int steps = (rank.rank - state.first) / state.stride;
  return steps >= 0 && steps < state.size && state.first + steps * state.stride == rank.rank;
}

const RankView* WaitGraph::stopped_member(const RankView& waiter, const CallView& call) const {
  for (const RankView& rank : ranks_)
    if (rank.stopped && rank.rank != waiter.rank && member(rank, call)) return &rank;
  return nullptr;
}

Blame WaitGraph::follow(const RankView& waiter, const CallView& call) const {
  std::vector<const RankView*> visited;
  return follow(waiter, call, visited);
}

Blame WaitGraph::follow(const RankView& waiter, const CallView& call,
                        std::vector<const RankView*>& visited) const {
  const Wait wait = wait_of(waiter, call);
  if (wait.missing.empty()) {
    if (const RankView* stopped = stopped_member(waiter, call))
      return {stopped, Blame::Kind::stopped_inside, {&waiter, &call, {stopped}}};
    return {&waiter, Blame::Kind::inside, wait};
  }
  visited.push_back(&waiter);
  for (const RankView* missing : wait.missing)
    if (!oldest_active(*missing)) return {missing, Blame::Kind::idle, wait};
  for (const RankView* missing : wait.missing) {
    if (std::find(visited.begin(), visited.end(), missing) != visited.end()) continue;
    for (const CallView& theirs : missing->calls) {
      if (!theirs.state.active) continue;
      Blame blame = follow(*missing, theirs, visited);
      // A rank inside a call that all have begun does not wait for anybody: what it misses is what its own
      // waiter waits in.
      if (blame.kind == Blame::Kind::inside && blame.culprit == missing) blame.wait = wait;
      if (blame.kind != Blame::Kind::circle) return blame;
    }
  }
  return {wait.missing.front(), Blame::Kind::circle, wait};
}

bool WaitGraph::waits_for(const RankView& waiter, const CallView& call, const RankView& rank) const {
  if (&waiter == &rank || !call.state.active) return false;
  const CallView* theirs = same_communicator(rank, call);
  if (Signature(call.state.signature).point_to_point())
    return call.state.peer == rank.rank &&
           !(theirs && theirs->state.active && theirs->state.peer == waiter.rank);
  return member(rank, call) && (!theirs || theirs->state.begun < call.state.begun);
}

Wait WaitGraph::wait_of(const RankView& waiter, const CallView& call) const {
  Wait wait{&waiter, &call, {}};
  for (const RankView& rank : ranks_)
    if (waits_for(waiter, call, rank)) wait.missing.push_back(&rank);
  // A hub that has just taken over has not heard of everybody yet: whoever it knows to be missing counts
  // first.
  const auto unheard = [](const RankView* rank) { return rank->presence == Presence::absent; };
  if (!std::all_of(wait.missing.begin(), wait.missing.end(), unheard)) std::erase_if(wait.missing, unheard);
  return wait;
}

std::optional<Wait> WaitGraph::oldest_wait_for(const RankView& rank) const {
  const RankView* oldest_waiter = nullptr;
  const CallView* oldest = nullptr;
  for (const RankView& waiter : ranks_) {
    if (waiter.presence == Presence::left || waiter.presence == Presence::lost) continue;
    for (const CallView& call : waiter.calls)
      if ((!oldest || call.age > oldest->age) && waits_for(waiter, call, rank))
        oldest_waiter = &waiter, oldest = &call;
  }
  if (!oldest) return std::nullopt;
  return wait_of(*oldest_waiter, *oldest);
}

void name_operation(Verdict& verdict, const Wait& wait) {
  verdict.operation = Signature(wait.call->state.signature).describe();
  verdict.communicator = std::string(view_of(wait.call->state.name));
  verdict.sequence = wait.call->state.sequence;
  verdict.missing.clear();
  for (const RankView* rank : wait.missing) verdict.missing.push_back(rank->rank);
}

}  // namespace trireme::comm
