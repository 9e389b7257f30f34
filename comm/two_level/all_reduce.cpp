#include <algorithm>

#include "comm/two_level/pipeline.h"
#include "comm/two_level/reduce.h"
#include "comm/two_level/two_level_communicator.h"

namespace trireme::comm {

void TwoLevelCommunicator::all_reduce_by_levels(const Call& call) {
  const std::size_t width = size_of(call.dtype), granule = 64 / width,
                    most = round_elements(call.count, call.dtype);
  const auto rounds = static_cast<int>((call.count + most - 1) / most);
  const int nodes = layout_.nodes();
  const Reduction inside_reduction = call.reduction == Reduction::max ? Reduction::max : Reduction::sum;
  Event on_wire[slot_count];

  const auto begin = [&](int round) { return static_cast<std::size_t>(round) * most; };
  const auto slices = [&](int round) {
    const Shards lanes = Shards::cut(std::min(most, call.count - begin(round)), layout_.lanes(), granule);
    std::vector<std::size_t> counts(static_cast<std::size_t>(inside_->size()), 0);
    for (int lane = 0; lane < layout_.lanes(); ++lane)
      counts[static_cast<std::size_t>(lane)] = lanes.count(lane);
    return Shards::of(std::move(counts));
  };
  const auto pieces = [&](int round) { return Shards::cut(slices(round).count(local()), nodes, granule); };
  const auto same_from_all = [&](std::size_t count) { return Shards::even(count, nodes); };

  const auto reduce_inside = [&](int round) {
    Slot& at = slot(round);
    const Shards cut = slices(round);
    inside_->reduce_scatter(static_cast<const std::byte*>(call.in) + begin(round) * width, at.slice, cut,
                            call.dtype, inside_reduction);
    if (!in_a_lane()) return;
    // Two nodes swap whole slices: the same bytes as two half steps, in one.
    const Call wire =
        nodes == 2 ? Call::all_gather(at.slice, at.received, same_from_all(cut.count(local())), call.dtype)
                   : Call::all_to_all(at.slice, at.received, pieces(round),
                                      same_from_all(pieces(round).count(node())), call.dtype);
    on_wire[round % slot_count] = send_across(wire, rounds == 1);
  };
  const auto reduce_across = [&](int round) {
    if (!in_a_lane()) return;
    Slot& at = slot(round);
    on_wire[round % slot_count].wait();
    const std::size_t mine = nodes == 2 ? slices(round).count(local()) : pieces(round).count(node());
    std::byte* reduced = nodes == 2 ? at.slice : at.received;
    reduce_parts(at.received, nodes, reduced, mine, call.dtype, call.reduction, size());
    on_wire[round % slot_count] =
        nodes == 2
            ? Event::already_set()
            : send_across(Call::all_gather(at.received, at.slice, pieces(round), call.dtype), rounds == 1);
  };
  const auto gather_inside = [&](int round) {
    if (in_a_lane()) on_wire[round % slot_count].wait();
    inside_->all_gather(slot(round).slice, static_cast<std::byte*>(call.out) + begin(round) * width,
                        slices(round), call.dtype);
  };
  pipeline(rounds, reduce_inside, reduce_across, gather_inside);
}

}  // namespace trireme::comm
