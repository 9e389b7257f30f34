#pragma once
#include <memory>

#include "comm/device_world.h"

namespace trireme::comm {

/// A world of device memory whose calls a world of host memory carries out: every piece of a call is copied
/// to pinned host memory, moved between the ranks there, and copied back, while the next piece is on its way.
/// For devices that no library joins, and where NCCL cannot run.
class ThroughHostWorld final : public World {
 public:
  /// Both outlive this. No piece is longer than `piece_bytes`, but for all_to_all.
  ThroughHostWorld(World& hosts, Device& device, std::size_t piece_bytes = std::size_t{4} << 20)
      : hosts_(hosts), device_(device), piece_bytes_(piece_bytes) {}

  int rank() const override { return hosts_.rank(); }
  int size() const override { return hosts_.size(); }
  const std::vector<int>& node_of_rank() const override { return hosts_.node_of_rank(); }
  int cores() const override { return hosts_.cores(); }
  /// `backend` is the host world's. The result is a DeviceCommunicator.
  std::unique_ptr<Communicator> communicator(const Group& group, std::string_view backend,
                                             CommunicatorOptions options) override;

 private:
  World& hosts_;
  Device& device_;
  std::size_t piece_bytes_;
};

}  // namespace trireme::comm
