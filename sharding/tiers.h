#pragma once
#include <memory>
#include <vector>

#include "offload/optimizer/team.h"
#include "sharding/input_store.h"
#include "sharding/placement.h"
#include "sharding/state_pipe.h"

namespace trireme::sharding {

/// Bytes of a rank's state beyond the device.
struct TierUse {
  std::size_t host = 0;       ///< taken from the kernel
  std::size_t host_most = 0;  ///< the most that was in use at once
  std::size_t nvme = 0;
  bool locked = false;
  std::size_t inputs = 0;  ///< of the host's, for units' inputs
  offload::PoolUse pool;
};

/// Cuts the updates that have something on NVMe into parts.
void cut_updates(Blueprint& blueprint, const Optimizer& optimizer, const TierOptions& options);

/// Gives drives that hold parameters of a device a place to meet it.
void meet_drives(Blueprint& blueprint, unsigned nvme_depth);

/// Where a rank's state lies when it is not on the device, and the threads that update it.
class Tiers {
 public:
  /// Refuses in one sentence what the drives' limits do not allow, before anything is taken.
  /// `position`: this rank among the ranks.
  Tiers(const Blueprint& blueprint, int position, const Optimizer& optimizer, const Placement& placement,
        const TierOptions& options, const ScheduleOptions& steps);

  /// Memory for one of a group's `state_arrays`; no buffer where they lie on the device.
  Buffer state(int group, std::size_t kind);
  /// A group's own slice of the parameters where it lies on NVMe, mapped; no buffer where it is in memory.
  Buffer parameters(int group);

  /// Memory for a rank's slice of a group's gradient where that goes to the host; no buffer where it does
  /// not.
  Buffer gradient(int group);

  const StateArrays& arrays(int group) const { return arrays_[static_cast<std::size_t>(group)]; }
  /// Null where nothing lies on NVMe.
  StatePipe* pipe() { return pipe_.get(); }
  /// Null where units' inputs stay on the device.
  InputStore* inputs() { return inputs_.get(); }
  offload::Team& team() { return team_; }
  std::int64_t part_elements() const { return part_elements_; }
  TierUse use() const;

 private:
  Buffer zeroed(std::size_t bytes);

  std::vector<StateArrays> arrays_;
  std::vector<Tier> state_tiers_, parameter_tiers_;
  /// Of gradients that go to the host.
  std::vector<std::size_t> gradient_bytes_;
  std::int64_t part_elements_;
  offload::Team team_;
  std::unique_ptr<offload::Pool> pool_;
  std::unique_ptr<StatePipe> pipe_;
  std::unique_ptr<InputStore> inputs_;
};

}  // namespace trireme::sharding
