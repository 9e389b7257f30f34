#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "sharding/passes/passes.h"

namespace trireme::sharding::passes {
namespace {

class Inputs {
 public:
  explicit Inputs(Draft& draft) : draft_(draft), depth_(draft.options().input_depth) {
    for (int place = 0; place <= depth_; ++place) free_.push_back(place);
  }

  void run() {
    const int ops = static_cast<int>(draft_.compute.size());
    std::map<std::pair<int, int>, int> backward_at;
    for (int at = 0; at < ops; ++at)
      if (compute(at).kind == OpKind::backward)
        backward_at[{compute(at).target, compute(at).micro_batch}] = at;
    for (int at = 0; at < ops; ++at) {
      recall_for(at);
      Op& op = compute(at);
      if (op.kind == OpKind::forward) {
        const int back = backward_at.at({op.target, op.micro_batch});
        // One that would come back at once stays, and so does one that finds all places waiting for backward.
        if (op.target > 0 && !op.keep && back - depth_ > at + 1 && !free_.empty()) park(at, back);
      } else if (op.staging >= 0) {
        free_.push_back(op.staging);
      }
    }
  }

 private:
  Op& compute(int at) { return draft_.compute[static_cast<std::size_t>(at)]; }

  Op move(OpKind kind, OpLane lane, const Op& of, int device_place) {
    // Micro-batches that follow one another use the same places.
    const std::pair owner{of.target, draft_.options().unit_major ? of.micro_batch : 0};
    const auto [found, first] = host_places_.try_emplace(owner, draft_.schedule.host_inputs);
    if (first) ++draft_.schedule.host_inputs;
    Op op;
    op.kind = kind, op.target = of.target, op.micro_batch = of.micro_batch, op.lane = lane;
    op.part = found->second, op.staging = device_place;
    return op;
  }

  void park(int at, int back) {
    Op& forward = compute(at);
    forward.staging = free_.front();
    free_.pop_front();
    draft_.before[static_cast<std::size_t>(at) + 1].push_back(
        move(OpKind::park, OpLane::device_to_host, forward, forward.staging));
    free_.push_back(forward.staging);
    away_.insert(std::upper_bound(away_.begin(), away_.end(), back), back);
  }

  void recall_for(int at) {
    while (!away_.empty() && away_.front() - depth_ <= at && !free_.empty()) {
      Op& backward = compute(away_.front());
      away_.pop_front();
      backward.staging = free_.front();
      free_.pop_front();
      draft_.before[static_cast<std::size_t>(at)].push_back(
          move(OpKind::recall, OpLane::host_to_device, backward, backward.staging));
    }
  }

  Draft& draft_;
  int depth_;
  /// Of the places on the device those that nothing waits in, the longest free one first.
  std::deque<int> free_;
  /// The backward passes whose inputs are on the host.
  std::deque<int> away_;
  std::map<std::pair<int, int>, int> host_places_;
};

}  // namespace

void move_inputs(Draft& draft) {
  const bool train = draft.options().purpose == ScheduleOptions::Purpose::train;
  if (train && draft.options().input_tier == Tier::host) Inputs(draft).run();
}

}  // namespace trireme::sharding::passes
