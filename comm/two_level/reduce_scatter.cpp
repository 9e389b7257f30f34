#include <cstring>

#include "comm/two_level/pipeline.h"
#include "comm/two_level/reduce.h"
#include "comm/two_level/two_level_communicator.h"

namespace trireme::comm {

void TwoLevelCommunicator::reduce_scatter_by_levels(const Call& call) {
  const std::size_t width = size_of(call.dtype);
  const ShardRounds rounds(call.shards, layout_, round_elements(call.shards.total(), call.dtype));
  const Reduction inside_reduction = call.reduction == Reduction::max ? Reduction::max : Reduction::sum;
  const auto* whole = static_cast<const std::byte*>(call.in);
  auto* shard = static_cast<std::byte*>(call.out);
  Event on_wire[slot_count];
  const auto mine = [&](int round) { return rounds.lane_parts(node(), round).count(local()); };

  const auto reduce_inside = [&](int round) {
    Slot& at = slot(round);
    rounds.for_each_stretch(round, [&](std::size_t in_whole, std::size_t in_packed, std::size_t count) {
      std::memcpy(packed_ + in_packed * width, whole + in_whole * width, count * width);
    });
    inside_->reduce_scatter(packed_, at.slice, rounds.lane_loads(node(), round), call.dtype,
                            inside_reduction);
    if (in_a_lane())
      on_wire[round % slot_count] =
          send_across(Call::all_to_all(at.slice, at.received, rounds.lane_load(local(), round),
                                       Shards::even(mine(round), layout_.nodes()), call.dtype),
                      rounds.count() == 1);
  };
  const auto deliver = [&](int round) {
    Slot& at = slot(round);
    if (in_a_lane()) {
      on_wire[round % slot_count].wait();
      reduce_parts(at.received, layout_.nodes(), at.slice, mine(round), call.dtype, call.reduction, size());
    }
    inside_->all_to_all(at.slice, shard + rounds.delivered(rank(), round) * width,
                        rounds.exchanged_by_lane(node(), local(), round),
                        rounds.exchanged(node(), local(), round), call.dtype);
  };
  pipeline(rounds.count(), reduce_inside, deliver);
}

}  // namespace trireme::comm
