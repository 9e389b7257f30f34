#include "sharding/predict/recorder.h"

#include <algorithm>
#include <limits>

namespace trireme::sharding {

StepRecorder::StepRecorder(Executor& executor) : executor_(executor) {
  // Ops of a step write their own entries, so lanes need no lock among each other.
  executor_.before_each([this](const Schedule&, int op) {
    if (static_cast<std::size_t>(op) < ops_.size()) ops_[static_cast<std::size_t>(op)].begin_s = now();
  });
  executor_.after_each([this](const Schedule&, int op) {
    if (static_cast<std::size_t>(op) < ops_.size()) ops_[static_cast<std::size_t>(op)].end_s = now();
  });
}

StepRecorder::~StepRecorder() {
  executor_.before_each({});
  executor_.after_each({});
}

void StepRecorder::begin(const Schedule& schedule) {
  ops_.assign(schedule.ops.size(), {});
  start_ = Clock::now();
}

Timeline StepRecorder::timeline(bool from_first) const {
  Timeline timeline{ops_};
  if (!from_first || ops_.empty()) return timeline;
  // Copies of the state that nobody wants do not run.
  const auto ran = [](const Interval& op) { return op.end_s > 0; };
  double origin = std::numeric_limits<double>::infinity();
  for (const Interval& op : ops_)
    if (ran(op)) origin = std::min(origin, op.begin_s);
  for (Interval& op : timeline.ops)
    if (ran(op)) op.begin_s -= origin, op.end_s -= origin;
  return timeline;
}

}  // namespace trireme::sharding
