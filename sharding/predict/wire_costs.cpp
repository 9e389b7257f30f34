#include "sharding/predict/wire_costs.h"

#include <algorithm>
#include <cmath>

#include "comm/codec/two_hop_reduce_scatter.h"
#include "sharding/wires.h"

namespace trireme::sharding {
namespace {

struct CodecRate {
  double encode = 0, decode = 0;
  bool known() const { return encode > 0 && decode > 0; }
};

CodecRate rate_of(Wire wire, const Machine& machine) {
  if (wire == Wire::int4_two_hop) return {machine.encode4_per_s, machine.decode4_per_s};
  return {machine.encode8_per_s, machine.decode8_per_s};
}

double memory_seconds(double bytes, const Machine& machine) {
  return bytes / (machine.memory_bytes_per_s * machine.memory_share);
}

/// Narrowed as a whole and widened again: a slice, or all of it where all ranks get the sum.
double narrowing_bytes(double elements, const Op& op, const Reach& reach) {
  const double widened = op.route == Route::replicas ? elements : elements / reach.ranks;
  return (elements + widened) * static_cast<double>(sizeof(float) + size_of(DType::bf16));
}

/// Of a wire in blocks: the rank's slice is encoded and all slices are decoded; or all is encoded for the
/// first hop, the sums of the node's ranks for the second, and what the nodes sent is decoded.
double codec_seconds(double elements, double bytes_at_rest, const Op& op, Wire wire, const Reach& reach,
                     const Machine& machine) {
  const CodecRate rate = rate_of(wire, machine);
  if (!rate.known()) return memory_seconds(2 * (bytes_at_rest + static_cast<double>(op.bytes)), machine);
  if (op.kind == OpKind::gather) return elements / reach.ranks / rate.encode + elements / rate.decode;
  const double lane = elements / reach.beside;
  const bool one_hop = reach.inside_node();
  return elements / rate.encode + elements / rate.decode +
         (one_hop ? 0 : lane / rate.encode + lane / rate.decode);
}

}  // namespace

void add_wire_cost(OpCost& cost, const Schedule& schedule, const Op& op, const Reach& reach,
                   const Machine& machine) {
  const Wire wire = schedule.circles[static_cast<std::size_t>(op.communicator)].wire;
  if (wire == Wire::raw || wire == Wire::fp32 || reach.ranks == 1) return;
  const GroupFacts& group = schedule.facts.groups[static_cast<std::size_t>(op.target)];
  const auto elements = static_cast<double>(elements_moved(group, op));
  if (wire == Wire::bf16) {
    cost.cores_s = memory_seconds(narrowing_bytes(elements, op, reach), machine);
    return;
  }
  const double width = op.kind == OpKind::gather ? static_cast<double>(group.element_bytes) : sizeof(float);
  const double codec = codec_seconds(elements, elements * width, op, wire, reach, machine);
  if (wire == Wire::int8) {
    cost.cores_s = codec;
    return;
  }
  const double round_elements =
      static_cast<double>(comm::TwoHopOptions{}.lane_elements) * static_cast<double>(reach.beside);
  const double rounds = std::max(1.0, std::ceil(elements / round_elements));
  cost.delay_s = rounds * (machine.two_hop_s > 0 ? machine.two_hop_s : cost.delay_s);
  // One round is encoded while the one before it travels: but for a round, the longer hides the shorter.
  cost.cores_s = codec;
  (codec > cost.work_s ? cost.work_s : cost.cores_s) /= rounds;
}

}  // namespace trireme::sharding
