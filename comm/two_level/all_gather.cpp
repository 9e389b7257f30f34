#include <cstring>

#include "comm/two_level/pipeline.h"
#include "comm/two_level/two_level_communicator.h"

namespace trireme::comm {

void TwoLevelCommunicator::all_gather_by_levels(const Call& call) {
  const std::size_t width = size_of(call.dtype);
  const ShardRounds rounds(call.shards, layout_, round_elements(call.shards.total(), call.dtype));
  const auto* shard = static_cast<const std::byte*>(call.in);
  auto* whole = static_cast<std::byte*>(call.out);
  Event on_wire[slot_count];

  const auto collect = [&](int round) {
    Slot& at = slot(round);
    inside_->all_to_all(shard + rounds.delivered(rank(), round) * width, at.received,
                        rounds.exchanged(node(), local(), round),
                        rounds.exchanged_by_lane(node(), local(), round), call.dtype);
    if (in_a_lane())
      on_wire[round % slot_count] =
          send_across(Call::all_gather(at.received, at.slice, rounds.lane_load(local(), round), call.dtype),
                      rounds.count() == 1);
  };
  const auto spread = [&](int round) {
    if (in_a_lane()) on_wire[round % slot_count].wait();
    inside_->all_gather(slot(round).slice, packed_, rounds.lane_loads(node(), round), call.dtype);
    rounds.for_each_stretch(round, [&](std::size_t in_whole, std::size_t in_packed, std::size_t count) {
      std::memcpy(whole + in_whole * width, packed_ + in_packed * width, count * width);
    });
  };
  pipeline(rounds.count(), collect, spread);
}

}  // namespace trireme::comm
