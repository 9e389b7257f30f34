#include "sharding/host_updates.h"

#include <algorithm>
#include <vector>

#include "sharding/arrays.h"

namespace trireme::sharding {
namespace {

constexpr std::int64_t elements_a_part = std::int64_t{1} << 20;

std::size_t floats(std::int64_t count) {
  return static_cast<std::size_t>(count) * sizeof(float);
}

}  // namespace

void HostUpdates::grow(Stage& stage, std::int64_t elements) {
  for (Buffer* buffer : {&stage.gradient, &stage.master, &stage.copy})
    if (buffer->bytes() < floats(elements)) *buffer = device_.allocate_pinned(floats(elements));
}

void HostUpdates::update(std::int64_t count, std::int64_t granule, OnDevice on_device, ArrayLane& lane,
                         offload::Team& team, const Described& described,
                         const std::function<void(const UpdateRun&)>& update) {
  const std::int64_t each = std::min(count, std::max<std::int64_t>(elements_a_part / granule, 1) * granule);
  lane.finish();
  for (Stage& stage : stages_) grow(stage, each);
  std::vector<std::byte*> unused;
  const auto bring = [&](std::int64_t from, Stage& stage) {
    const std::int64_t part = std::min(each, count - from);
    const UpdateRun run = described(from, from + part, unused);
    if (on_device.gradient) lane.copy(stage.gradient.data(), run.gradient, floats(part));
    if (on_device.master) lane.copy(stage.master.data(), run.master, floats(part));
    // Values in halves are found by it.
    if (on_device.copy && run.lower)
      lane.copy(stage.copy.data(), run.copy, static_cast<std::size_t>(part) * size_of(run.copy_dtype));
  };
  const auto here = [&](std::int64_t from, std::int64_t begin, std::int64_t end, const Stage& stage,
                        std::vector<std::byte*>& states) {
    UpdateRun run = described(from + begin, from + end, states);
    if (on_device.gradient) run.gradient = stage.gradient.as<float>() + begin;
    if (on_device.master) run.master = stage.master.as<float>() + begin;
    if (on_device.copy) run.copy = offset_by(stage.copy.data(), begin, run.copy_dtype);
    return run;
  };
  const auto give_back = [&](std::int64_t from, const Stage& stage) {
    const std::int64_t part = std::min(each, count - from);
    const UpdateRun run = described(from, from + part, unused);
    if (on_device.master) lane.copy(run.master, stage.master.data(), floats(part));
    if (on_device.copy && run.copy)
      lane.copy(run.copy, stage.copy.data(), static_cast<std::size_t>(part) * size_of(run.copy_dtype));
  };
  if (count > 0) bring(0, stages_[0]);
  for (std::int64_t from = 0, number = 0; from < count; from += each, ++number) {
    const Stage& stage = stages_[static_cast<std::size_t>(number % 2)];
    lane.finish();
    if (from + each < count) bring(from + each, stages_[static_cast<std::size_t>((number + 1) % 2)]);
    team.for_ranges(std::min(each, count - from), granule, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::byte*> states;
      update(here(from, begin, end, stage, states));
    });
    give_back(from, stage);
  }
}

}  // namespace trireme::sharding
