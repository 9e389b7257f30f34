#pragma once
#include "sharding/predict/machine.h"
#include "sharding/predict/simulate.h"
#include "sharding/predict/traffic.h"

namespace trireme::sharding {

/// What the wire of a gather or reduction adds to the cost of moving its bytes: encoding, decoding, and the
/// rounds in which two hops are made.
void add_wire_cost(OpCost& cost, const Schedule& schedule, const Op& op, const Reach& reach,
                   const Machine& machine);

}  // namespace trireme::sharding
