#include "sharding/passes/passes.h"

namespace trireme::sharding::passes {
namespace {

Op compute_op(OpKind kind, int unit, int micro_batch) {
  Op op;
  op.kind = kind, op.target = unit, op.micro_batch = micro_batch, op.lane = OpLane::compute;
  return op;
}

void by_micro_batch(std::vector<Op>& order, int units, int micro_batches, bool train) {
  for (int micro = 0; micro < micro_batches; ++micro) {
    for (int unit = 0; unit < units; ++unit) order.push_back(compute_op(OpKind::forward, unit, micro));
    if (!train) continue;
    for (int unit = units - 1; unit >= 0; --unit) order.push_back(compute_op(OpKind::backward, unit, micro));
  }
}

/// The last unit goes back with each micro-batch at once: it is the one whose kept graph (the logits) is
/// largest.
void by_unit(std::vector<Op>& order, int units, int micro_batches, bool train) {
  for (int unit = 0; unit < units; ++unit) {
    for (int micro = 0; micro < micro_batches; ++micro) {
      order.push_back(compute_op(OpKind::forward, unit, micro));
      if (train && unit == units - 1) order.push_back(compute_op(OpKind::backward, unit, micro));
    }
  }
  if (!train) return;
  for (int unit = units - 2; unit >= 0; --unit)
    for (int micro = 0; micro < micro_batches; ++micro)
      order.push_back(compute_op(OpKind::backward, unit, micro));
}

}  // namespace

void order_computation(Draft& draft) {
  const int units = static_cast<int>(draft.facts().units.size());
  const bool train = draft.options().purpose == ScheduleOptions::Purpose::train;
  auto& order = draft.compute;
  (draft.options().unit_major ? by_unit : by_micro_batch)(order, units, draft.options().micro_batches, train);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!train || order[i].kind != OpKind::forward) continue;
    const bool backward_is_next = i + 1 < order.size() && order[i + 1].kind == OpKind::backward;
    order[i].keep = draft.options().activations == Activations::kept || backward_is_next ||
                    draft.unit(order[i]).keeps_little;
  }
  draft.before.resize(order.size() + 1);
}

}  // namespace trireme::sharding::passes
