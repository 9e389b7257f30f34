#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "core/buffer.h"
#include "core/event.h"
#include "offload/host/pool.h"
#include "offload/nvme/engine.h"
#include "sharding/state_arrays.h"
#include "sharding/tier_options.h"

namespace trireme::sharding {

/// What of a group lies on NVMe.
struct PipedGroup {
  /// Of its optimizer state; no kinds: that lies elsewhere.
  StateArrays state;
  /// A rank's slice of the parameters, of which so many elements lie there, and where in the optimizer's
  /// slice it begins.
  DType stored = DType::f32;
  std::int64_t parameters = 0, first_parameter = 0;
  /// Updates go through the ring with their new parameters, and find the old ones there too where these are
  /// the only masters.
  bool updates_parameters = false, reads_parameters = false;
};

/// A part of an update in a buffer of the ring: each array's elements from the part's first on.
struct StagedPart {
  /// None where the state lies elsewhere.
  std::vector<std::byte*> states;
  /// Parameters as they are stored; null where those lie elsewhere.
  std::byte* parameters = nullptr;
};

/// Optimizer state and parameters on NVMe: each group's arrays in one volume, and a ring of buffers through
/// which an update goes part by part. `fetch`, `spill` and `load` begin transfers and return.
///
/// The arrays are also mapped, for what happens outside of steps: loading and publishing. Step and map see
/// the same bytes as long as they take turns.
class StatePipe {
 public:
  /// `meeting`: where drives meet the device whose parameters they hold; none: they hold none of a device.
  StatePipe(std::vector<PipedGroup> groups, Buffer meeting, const TierOptions& options, offload::Pool& pool);
  ~StatePipe();

  /// An array as mapped memory.
  Buffer array(int group, std::size_t kind) const;
  Buffer parameters(int group) const;
  bool holds(const void* mapped) const;
  /// Bytes of mapped memory from the drive itself: what memory the page cache would need may not be there,
  /// and pages that come fault by fault come slowly. Threads take turns.
  void read(void* into, const void* mapped, std::size_t bytes);
  /// Transfers from and to this memory save the kernel, or cuFile, work.
  void register_memory(std::span<std::byte> memory) { engine_->register_memory(memory); }
  void forget_memory(std::span<std::byte> memory) { engine_->forget_memory(memory); }

  /// Reads what a part needs into a buffer of the ring, once what was written from there is on the drive.
  void fetch(int group, int part, int slot);
  /// Waits for the part.
  const StagedPart& arrived(int slot);
  void spill(int group, int part, int slot);

  /// Reads a rank's slice of the parameters to memory with room for whole sectors; to a device's once that
  /// has passed `point`.
  void load(int group, std::byte* into, const DeviceEvent* point = nullptr);
  /// Waits for what was loaded last of the group.
  void loaded(int group);
  /// Writes a rank's slice of the parameters, likewise, and returns when it is on the drive.
  void store(int group, const std::byte* from, const DeviceEvent* point = nullptr);

  /// Returns when nothing is on its way; throws what went wrong first.
  void drain();

  std::uint64_t bytes() const { return volume_->bytes(); }
  const offload::Engine& engine() const { return *engine_; }

 private:
  /// Elements of an array: of the optimizer's slice those from `first` on.
  struct Array {
    DType dtype = DType::f32;
    std::int64_t elements_each = 1, first = 0, elements = 0;
    std::uint64_t offset = 0;
    bool is_read = true;
    std::size_t bytes() const { return bytes_to(elements); }
    std::size_t bytes_to(std::int64_t element) const {
      return static_cast<std::size_t>((element + elements_each - 1) / elements_each) * size_of(dtype);
    }
  };
  struct Slot {
    Buffer memory;
    StagedPart part;
    std::vector<Event> moving;
  };
  /// What of an array is in a part: where on the volume, how long, and how far behind the part's first
  /// element.
  struct Cut {
    std::uint64_t offset = 0;
    std::size_t bytes = 0, behind = 0;
  };
  Cut cut(const Array& array, int part) const;
  /// Whether all that steps move begins and ends at whole sectors.
  bool moves_whole_sectors() const;
  /// In a buffer of the ring.
  std::size_t room_of(const Array& array) const;
  Buffer mapped(const Array& array) const;
  /// Calls `move(array, data, cut)` for each array of a part that goes through a buffer.
  template <typename Move>
  void for_each_array(int group, int part, const StagedPart& staged, const Move& move) const;
  static void settle(std::vector<Event>& moving);

  std::vector<PipedGroup> groups_;
  std::int64_t part_elements_;
  std::vector<std::vector<Array>> states_;
  std::vector<Array> parameters_;
  std::unique_ptr<offload::Volume> volume_;
  std::shared_ptr<Buffer> map_;
  std::mutex reading_;
  /// What `read` has on its way, piece by piece.
  Buffer ahead_;
  std::unique_ptr<offload::Engine> engine_;
  std::vector<Slot> slots_;
  /// By group.
  std::vector<Event> loading_;
};

}  // namespace trireme::sharding
