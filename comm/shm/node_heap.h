#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "comm/buffer.h"
#include "comm/shm/sharing.h"

namespace trireme::comm {

/// A place in shared memory, named so that every rank of the node can find it.
struct Reference {
  std::uint32_t region = 0;
  std::uint32_t part = 0;
  std::uint64_t offset = 0;

  bool known() const { return region != 0; }
  bool operator==(const Reference&) const = default;
};

/// The shared memory of one node as one rank sees it: makes regions and finds out to which of them an address
/// belongs.
///
/// Regions are made together and in the same order, so their numbers agree. A region's end would be
/// collective too and must not happen in a destructor that other ranks may never reach; so a released region
/// only goes when all ranks meet the next time to make one.
class NodeHeap : public std::enable_shared_from_this<NodeHeap> {
 public:
  explicit NodeHeap(std::unique_ptr<Sharing> sharing);

  int rank() const { return sharing_->rank(); }
  int size() const { return sharing_->size(); }
  const Sharing& sharing() const { return *sharing_; }
  /// Cores that the ranks of the node may run on, all together.
  int cores() const { return cores_; }

  /// Collective over the node.
  Buffer allocate(std::size_t bytes);
  /// Collective over the node: a segment for the caller's own use, released when the last copy of the pointer
  /// goes.
  std::shared_ptr<const SharedSegment> share(std::size_t bytes);

  /// Where these bytes lie, when all of them are in one part of one region. No bytes lie anywhere.
  Reference find(const void* data, std::size_t bytes) const;
  /// nullptr for the place of no bytes.
  std::byte* resolve(const Reference& reference) const;

 private:
  struct Region {
    std::uint32_t id;
    SharedSegment segment;
    bool released = false;
  };
  const SharedSegment& create(std::size_t bytes, std::uint32_t& id);
  void release(std::uint32_t id);
  void drop_what_all_released();

  std::unique_ptr<Sharing> sharing_;
  int cores_ = 1;
  /// Held while waiting for the other ranks; `mutex_` never is, because calls in flight must still find their
  /// memory.
  std::mutex making_;
  mutable std::mutex mutex_;
  std::uint32_t next_id_ = 2;
  std::vector<std::unique_ptr<Region>> regions_;
};

}  // namespace trireme::comm
