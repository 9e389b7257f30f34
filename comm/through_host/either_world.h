#pragma once
#include "comm/through_host/through_host_world.h"

namespace trireme::comm {

/// Device memory over "nccl" (and "auto") by the device's own library, over every other backend through the
/// host.
class EitherWorld final : public World {
 public:
  EitherWorld(World& devices, World& hosts, Device& device)
      : devices_(devices), through_host_(hosts, device) {}
  int rank() const override { return devices_.rank(); }
  int size() const override { return devices_.size(); }
  const std::vector<int>& node_of_rank() const override { return devices_.node_of_rank(); }
  int cores() const override { return devices_.cores(); }
  std::unique_ptr<Communicator> communicator(const Group& group, std::string_view backend,
                                             CommunicatorOptions options) override {
    World& world = backend == "nccl" || backend == "auto" ? devices_ : through_host_;
    return world.communicator(group, backend, std::move(options));
  }

 private:
  World& devices_;
  ThroughHostWorld through_host_;
};

}  // namespace trireme::comm
