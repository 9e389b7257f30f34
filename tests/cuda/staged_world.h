#pragma once
#include <memory>

#include "comm/device_world.h"

namespace trireme::tests {

/// A world whose communicators take host memory, so that tests which look at their data run over device
/// memory: every call is copied to the device, made there, and its result copied back, in turns by `run` and
/// by `enqueue` between two streams.
class StagedWorld final : public comm::World {
 public:
  StagedWorld(comm::World& inner, Device& device) : inner_(inner), device_(device) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  const std::vector<int>& node_of_rank() const override { return inner_.node_of_rank(); }
  int cores() const override { return inner_.cores(); }
  std::unique_ptr<comm::Communicator> communicator(const comm::Group& group, std::string_view backend,
                                                   comm::CommunicatorOptions options) override;

 private:
  comm::World& inner_;
  Device& device_;
};

}  // namespace trireme::tests
