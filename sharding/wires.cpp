#include "sharding/wires.h"

#include <algorithm>

#include "comm/codec/format.h"

namespace trireme::sharding {
namespace {

std::uint64_t in_blocks(const comm::codec::BlockFormat& format, std::uint64_t elements, int slices) {
  const auto parts = static_cast<std::uint64_t>(slices);
  return parts * format.bytes(elements / parts);
}

}  // namespace

std::uint64_t bytes_on(Wire wire, std::uint64_t elements, std::uint64_t element_bytes, int slices) {
  switch (wire) {
    case Wire::raw:
      return elements * element_bytes;
    case Wire::fp32:
      return elements * sizeof(float);
    case Wire::bf16:
      return elements * size_of(DType::bf16);
    case Wire::int8:
    case Wire::int8_two_hop:
      return in_blocks(comm::codec::int8_blocks, elements, slices);
    case Wire::int4_two_hop:
      return in_blocks(comm::codec::int4_blocks, elements, slices);
  }
  return 0;
}

std::uint64_t room_on(Wire wire, std::uint64_t elements, int ranks) {
  return wire == Wire::int8 || wire == Wire::bf16 ? bytes_on(wire, elements, 0, ranks) : 0;
}

Wire wire_of_reduction(Wire gradients, Route route) {
  const bool two_hop = gradients == Wire::int8_two_hop || gradients == Wire::int4_two_hop;
  return two_hop && route == Route::replicas ? Wire::fp32 : gradients;
}

std::uint64_t elements_moved(const GroupFacts& group, const Op& op) {
  const auto part = [&](int span) { return group.elements / static_cast<std::uint64_t>(span); };
  switch (op.route) {
    case Route::refresh:
      return part(group.parameters);
    case Route::rest:
      return part(group.gradients);
    case Route::replicas:
      return part(group.optimizer);
    case Route::none:
    case Route::primary:
    case Route::secondary:
    case Route::span:
      break;
  }
  return group.elements;
}

std::vector<std::uint64_t> longest_moved(const Schedule& schedule) {
  std::vector<std::uint64_t> longest(schedule.circles.size(), 0);
  for (const Op& op : schedule.ops) {
    if (op.communicator < 0 || op.target < 0) continue;
    auto& here = longest[static_cast<std::size_t>(op.communicator)];
    here = std::max(here, elements_moved(schedule.facts.groups[static_cast<std::size_t>(op.target)], op));
  }
  return longest;
}

}  // namespace trireme::sharding
