#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "offload/optimizer/team.h"
#include "sharding/array_lane.h"
#include "sharding/optimizer.h"

namespace trireme::sharding {

/// An update on the host of values that lie on a device: what it reads comes to pinned memory part by part,
/// while the part before is updated, and what it has made goes back.
class HostUpdates {
 public:
  explicit HostUpdates(Device& device) : device_(device) {}

  /// What of a run is on the device.
  struct OnDevice {
    bool gradient = true, master = false, copy = false;
  };
  /// The run of elements [from, to) as it lies; its states are put into the vector.
  using Described =
      std::function<UpdateRun(std::int64_t from, std::int64_t to, std::vector<std::byte*>& states)>;
  /// Calls `update` with runs of the host's memory that make up elements [0, count), cut at multiples of
  /// `granule`.
  void update(std::int64_t count, std::int64_t granule, OnDevice on_device, ArrayLane& lane,
              offload::Team& team, const Described& described,
              const std::function<void(const UpdateRun&)>& update);

 private:
  /// What a part has on the host. Two take turns.
  struct Stage {
    Buffer gradient, master, copy;
  };
  void grow(Stage& stage, std::int64_t elements);

  Device& device_;
  std::array<Stage, 2> stages_;
};

}  // namespace trireme::sharding
