#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "core/buffer.h"
#include "core/event.h"
#include "offload/host/pool.h"
#include "offload/nvme/engine.h"
#include "sharding/state_arrays.h"
#include "sharding/tier_options.h"

namespace trireme::sharding {

/// Optimizer state on NVMe: each group's arrays in one volume, and a ring of buffers through which an update
/// goes part by part. `fetch` and `spill` begin transfers and return.
///
/// The arrays are also mapped, for what happens outside of steps: loading, saving, publishing. Step and map
/// see the same bytes as long as they take turns.
class StatePipe {
 public:
  /// `parameters`: bytes of each group's parameters that lie on NVMe as well; 0: none.
  StatePipe(std::vector<StateArrays> groups, const std::vector<std::size_t>& parameters,
            const TierOptions& options, offload::Pool& pool);
  ~StatePipe();

  /// An array as mapped memory.
  Buffer array(int group, std::size_t kind) const;
  Buffer parameters(int group) const;

  /// Reads a part's arrays into a buffer of the ring, once what was written from there is on the drive.
  void fetch(int group, int part, int slot);
  /// Waits for the part; each array's elements from the part's first on.
  const std::vector<std::byte*>& arrived(int slot);
  void spill(int group, int part, int slot);
  /// Returns when nothing is on its way; throws what went wrong first.
  void drain();

  std::uint64_t bytes() const { return volume_->bytes(); }
  const offload::Engine& engine() const { return *engine_; }

 private:
  struct Region {
    std::uint64_t offset = 0;
    std::size_t bytes = 0;
  };
  struct Slot {
    Buffer memory;
    std::vector<std::byte*> arrays;
    std::vector<Event> moving;
  };
  /// One array's part of a part: where on the volume, and how long.
  Region part_of(int group, std::size_t kind, int part) const;
  const Region& region(int group, std::size_t kind) const {
    return regions_[static_cast<std::size_t>(group)][kind];
  }
  Buffer mapped(const Region& region) const;
  void settle(Slot& slot);

  std::vector<StateArrays> groups_;
  std::int64_t part_elements_;
  std::vector<std::vector<Region>> regions_;
  std::vector<Region> parameters_;
  std::unique_ptr<offload::Volume> volume_;
  std::shared_ptr<Buffer> map_;
  std::unique_ptr<offload::Engine> engine_;
  std::vector<Slot> slots_;
};

}  // namespace trireme::sharding
