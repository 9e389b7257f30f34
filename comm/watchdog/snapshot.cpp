#include "comm/watchdog/snapshot.h"

#include <algorithm>

namespace trireme::comm {

void RankSnapshot::pack(Packer& packer) const {
  packer.value(rank).value(presence).value(stopped).value(beat).value(phase);
  packer.value(presence == Presence::failed);
  if (presence == Presence::failed) packer.value(failure);
  packer.list(calls);
}

RankSnapshot RankSnapshot::unpack(Unpacker& unpacker) {
  RankSnapshot snapshot;
  snapshot.rank = unpacker.value<int>();
  snapshot.presence = unpacker.value<Presence>();
  snapshot.stopped = unpacker.value<bool>();
  snapshot.beat = unpacker.value<std::uint64_t>();
  snapshot.phase = unpacker.value<PhaseState>();
  if (unpacker.value<bool>()) snapshot.failure = unpacker.value<FailureState>();
  snapshot.calls = unpacker.list<CallState>();
  return snapshot;
}

void refresh_life(RankSnapshot& snapshot, const RankEntry& entry) {
  switch (entry.state.load(std::memory_order_acquire)) {
    case RankEntry::absent:
      snapshot.presence = Presence::absent;
      break;
    case RankEntry::running:
      snapshot.presence = Presence::running;
      break;
    case RankEntry::left:
      snapshot.presence = Presence::left;
      break;
    case RankEntry::failed:
      snapshot.presence = Presence::failed;
      break;
    default:  // half written by a rank that died
      break;
  }
  snapshot.beat = entry.beat.load(std::memory_order_relaxed);
}

void refresh_work(RankSnapshot& snapshot, const RankEntry& entry) {
  if (const auto phase = entry.phase.load()) snapshot.phase = *phase;
  if (snapshot.presence == Presence::failed)
    if (const auto failure = entry.failure.load()) snapshot.failure = *failure;

  std::vector<CallState>& calls = snapshot.calls;
  std::vector<CallState> latest;
  for (int slot = 0; slot < RankEntry::communicators; ++slot) {
    const auto call = entry.slots[static_cast<std::size_t>(slot)].call.load();
    const auto before =
        std::find_if(calls.begin(), calls.end(), [slot](const CallState& old) { return old.slot == slot; });
    if (call && call->communicator != 0) {
      latest.push_back(*call);
      latest.back().slot = slot;
    } else if (!call && before != calls.end()) {
      latest.push_back(*before);
    }
  }
  calls = std::move(latest);
}

}  // namespace trireme::comm
