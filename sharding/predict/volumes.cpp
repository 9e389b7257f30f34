#include "sharding/predict/volumes.h"

#include <algorithm>

namespace trireme::sharding {
namespace {

std::string purpose_of(const Op& op, bool before_backward) {
  if (op.kind == OpKind::norm) return "norm";
  switch (op.route) {
    case Route::refresh:
      return "refresh";
    case Route::primary:
      return before_backward ? "gather, forward" : "gather, backward";
    case Route::secondary:
      return "gather, secondary";
    case Route::span:
      return "reduce to slices";
    case Route::rest:
      return "reduce to optimizer";
    case Route::replicas:
      return "sum over replicas";
    case Route::none:
      break;
  }
  return "other";
}

}  // namespace

std::vector<Volume> volumes_of(const Schedule& schedule, const TrafficCounter& counter) {
  std::vector<Volume> volumes;
  bool before_backward = true;
  for (const Op& op : schedule.ops) {
    if (op.kind == OpKind::backward) before_backward = false;
    if (op.communicator < 0) continue;
    const std::string what = purpose_of(op, before_backward);
    auto found = std::find_if(volumes.begin(), volumes.end(),
                              [&](const Volume& volume) { return volume.what == what; });
    if (found == volumes.end()) found = volumes.insert(volumes.end(), {what, 0, {}});
    const comm::Traffic traffic = counter.of(op);
    ++found->ops;
    found->traffic.inside_node += traffic.inside_node;
    found->traffic.across_nodes += traffic.across_nodes;
  }
  return volumes;
}

VolumeFormula volume_formula(const ScheduleFacts& facts) {
  // Of a vector that n ranks gather or reduce, each sends (n - 1) / n.
  const auto moved = [](double bytes, int ranks) { return bytes * (ranks - 1) / ranks; };
  VolumeFormula formula;
  for (std::size_t g = 0; g < facts.groups.size(); ++g) {
    const GroupFacts& group = facts.groups[g];
    const auto bytes = static_cast<double>(group.bytes());
    formula.gathers += moved(bytes, group.parameters);
    const int again = group.secondary > 0 ? group.secondary : group.parameters;
    if (facts.read_in_backward(static_cast<int>(g))) formula.gathers += moved(bytes, again);
    if (!group.trainable) continue;
    if (group.optimizer > group.parameters)
      formula.gathers += moved(bytes / group.parameters, group.optimizer / group.parameters);
    const double gradient = static_cast<double>(group.elements) * sizeof(float);
    formula.reductions += moved(gradient, group.gradients) +
                          moved(gradient / group.gradients, group.optimizer / group.gradients) +
                          2 * moved(gradient / group.optimizer, facts.world / group.optimizer);
  }
  return formula;
}

}  // namespace trireme::sharding
