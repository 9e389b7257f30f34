#pragma once
#include <cstdint>
#include <vector>

#include "sharding/schedule.h"

namespace trireme::sharding {

/// What a vector that is cut into `slices` takes on its way, where it has `element_bytes` at rest.
std::uint64_t bytes_on(Wire wire, std::uint64_t elements, std::uint64_t element_bytes, int slices);

/// What a channel of so many ranks keeps so that vectors up to so many elements can be in its wire.
std::uint64_t room_on(Wire wire, std::uint64_t elements, int ranks);

/// Two hops end in slices; where ranks that hold the same slice are summed, gradients travel in fp32.
Wire wire_of_reduction(Wire gradients, Route route);

/// How many elements the vector has that a gather or reduction moves.
std::uint64_t elements_moved(const GroupFacts& group, const Op& op);

/// The same of the longest vector of each circle.
std::vector<std::uint64_t> longest_moved(const Schedule& schedule);

}  // namespace trireme::sharding
