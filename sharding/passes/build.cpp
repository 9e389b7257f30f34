#include <algorithm>

#include "core/error.h"
#include "sharding/passes/passes.h"

namespace trireme::sharding {
namespace passes {

int Draft::circle(OpLane lane, const GroupFacts& group, int inner, int outer, Wire wire) {
  if (inner == outer) return -1;
  Circle wanted{lane, {inner, outer}, wire};
  for (const int span : {group.parameters, group.gradients, group.optimizer})
    if (span > inner && span < outer) wanted.spans.push_back(span);
  std::sort(wanted.spans.begin(), wanted.spans.end());
  wanted.spans.erase(std::unique(wanted.spans.begin(), wanted.spans.end()), wanted.spans.end());
  auto& circles = schedule.circles;
  const auto found = std::find(circles.begin(), circles.end(), wanted);
  if (found != circles.end()) return static_cast<int>(found - circles.begin());
  circles.push_back(std::move(wanted));
  return static_cast<int>(circles.size()) - 1;
}

void assemble(Draft& draft) {
  auto& ops = draft.schedule.ops;
  for (std::size_t i = 0; i < draft.before.size(); ++i) {
    ops.insert(ops.end(), draft.before[i].begin(), draft.before[i].end());
    if (i < draft.compute.size()) ops.push_back(draft.compute[i]);
  }
}

}  // namespace passes

Schedule build_schedule(const ScheduleFacts& facts, const ScheduleOptions& options) {
  require(options.micro_batches >= 1 && options.prefetch_depth >= 0 && options.reduce_depth >= 0 &&
              options.input_depth >= 0,
          "a schedule of {} micro-batches with depths {}, {} and {}", options.micro_batches,
          options.prefetch_depth, options.reduce_depth, options.input_depth);
  for (const UnitFacts& unit : facts.units)
    require(unit.groups.size() <= 32, "unit {} has {} groups; 32 is the most", unit.name, unit.groups.size());
  passes::Draft draft;
  draft.schedule.facts = facts;
  draft.schedule.options = options;
  passes::assign_parameter_slots(draft.schedule);
  passes::assign_gradient_slots(draft.schedule);
  passes::assign_slice_slots(draft.schedule);
  passes::assign_home_slots(draft.schedule);
  passes::assign_refresh_slots(draft.schedule);
  passes::order_computation(draft);
  passes::move_inputs(draft);
  passes::reduce_gradients(draft);
  passes::move_gradients(draft);
  passes::gather_parameters(draft);
  passes::finish_step(draft);
  passes::assemble(draft);
  passes::derive_waits(draft.schedule);
  return std::move(draft.schedule);
}

}  // namespace trireme::sharding
