#pragma once
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "comm/device_world.h"
#include "comm/mpi/device_exchange.h"
#include "comm/mpi/mpi_world.h"
#include "cuda/cuda_plugin.h"
#include "tests/mpi_main.h"
#include "tests/nccl_double/host_nccl.h"

namespace trireme::tests {

/// The plugin over the doubles: one "GPU" a process. Every test ends with nothing left behind and nothing
/// done wrong.
class DoubleWorld : public testing::Test {
 protected:
  void SetUp() override {
    device_ = plugin_.open(0);
    world_ = plugin_.world(*device_, comm::meet_over_mpi(mpi_));
  }
  void TearDown() override {
    world_.reset();
    device_.reset();
    EXPECT_EQ(take_misuses(), std::vector<std::string>{});
    EXPECT_EQ(host_cuda_alive(), 0u);
    EXPECT_EQ(host_nccl_alive(), 0u);
  }

  int rank() const { return mpi_.rank(); }
  int size() const { return mpi_.size(); }
  comm::Group everyone() const {
    comm::Group group;
    group.ranks.resize(static_cast<std::size_t>(size()));
    std::iota(group.ranks.begin(), group.ranks.end(), 0);
    return group;
  }
  std::unique_ptr<comm::DeviceCommunicator> communicator(const comm::Group& group,
                                                         comm::CommunicatorOptions options = {}) {
    auto made = world_->communicator(group, "nccl", std::move(options));
    return std::unique_ptr<comm::DeviceCommunicator>(dynamic_cast<comm::DeviceCommunicator*>(made.release()));
  }
  std::unique_ptr<comm::DeviceCommunicator> communicator() { return communicator(everyone()); }

  /// What a host may not do with a real device, which tests of the double may: look at its memory.
  template <typename T>
  static std::span<T> values(const Buffer& buffer) {
    return {buffer.as<T>(), buffer.bytes() / sizeof(T)};
  }

  comm::MpiWorld mpi_{mpi_runtime()};
  cuda::CudaPlugin plugin_{host_apis()};
  std::unique_ptr<Device> device_;
  std::unique_ptr<comm::World> world_;
};

}  // namespace trireme::tests
