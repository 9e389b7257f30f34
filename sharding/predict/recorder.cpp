#include "sharding/predict/recorder.h"

#include <algorithm>
#include <limits>

namespace trireme::sharding {

StepRecorder::StepRecorder(Executor& executor) : executor_(executor), device_(executor.device()) {
  // Ops of a step write their own entries, so lanes need no lock among each other.
  const auto known = [this](int op) { return static_cast<std::size_t>(op) < ops_.size(); };
  const auto at = [](int op) { return static_cast<std::size_t>(op); };
  if (!device_) {
    executor_.mark_each(
        [=, this](int op, ArrayLane&) {
          if (known(op)) ops_[at(op)].begin_s = now();
        },
        [=, this](int op, ArrayLane&) {
          if (known(op)) ops_[at(op)].end_s = now();
        });
    return;
  }
  stream_ = device_->make_stream(), origin_ = device_->make_event();
  device_->watch_tensors(true);
  executor_.mark_each(
      [=, this](int op, ArrayLane& lane) {
        if (known(op)) lane.record(*points_[at(op)].begin);
      },
      [=, this](int op, ArrayLane& lane) {
        if (known(op)) lane.record(*points_[at(op)].end), points_[at(op)].passed = true;
      });
}

StepRecorder::~StepRecorder() {
  executor_.mark_each({}, {});
  if (device_) device_->watch_tensors(false);
}

void StepRecorder::begin(const Schedule& schedule) {
  ops_.assign(schedule.ops.size(), {});
  if (device_) begin_on_device();
  start_ = Clock::now();
}

void StepRecorder::begin_on_device() {
  points_.resize(std::max(points_.size(), ops_.size()));
  for (Points& points : points_) {
    if (!points.begin) points.begin = device_->make_event(), points.end = device_->make_event();
    points.passed = false;
  }
  stream_->record(*origin_);
  stream_->finish();
  waits_before_ = device_->waits();
}

HostWaits StepRecorder::waits() const {
  return device_ ? device_->waits() - waits_before_ : HostWaits{};
}

Timeline StepRecorder::timeline(bool from_first) const {
  Timeline timeline{ops_};
  for (std::size_t op = 0; device_ && op < ops_.size(); ++op)
    if (const Points& points = points_[op]; points.passed)
      timeline.ops[op] = {points.begin->milliseconds_since(*origin_) / 1e3,
                          points.end->milliseconds_since(*origin_) / 1e3};
  if (!from_first || ops_.empty()) return timeline;
  // Copies of the state that nobody wants do not run.
  const auto ran = [](const Interval& op) { return op.end_s > 0; };
  double origin = std::numeric_limits<double>::infinity();
  for (const Interval& op : timeline.ops)
    if (ran(op)) origin = std::min(origin, op.begin_s);
  for (Interval& op : timeline.ops)
    if (ran(op)) op.begin_s -= origin, op.end_s -= origin;
  return timeline;
}

}  // namespace trireme::sharding
