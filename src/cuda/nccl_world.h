#pragma once
#include <memory>
#include <vector>

#include "comm/device_world.h"
#include "cuda/cuda_device.h"
#include "cuda/nccl_comm.h"
#include "cuda/nccl_memory.h"

namespace trireme::cuda {

/// One GPU a rank, joined by NCCL. Every communicator is split off the one that spans the world. Must outlive
/// them.
class NcclWorld final : public comm::World {
 public:
  NcclWorld(const Apis& apis, CudaDevice& device, comm::DeviceWorldOptions options);

  int rank() const override { return options_.rank; }
  int size() const override { return static_cast<int>(options_.node_of_rank.size()); }
  const std::vector<int>& node_of_rank() const override { return options_.node_of_rank; }
  int cores() const override { return options_.cores; }
  std::unique_ptr<comm::Communicator> communicator(const comm::Group& group, std::string_view backend,
                                                   comm::CommunicatorOptions options) override;

 private:
  const Apis& apis_;
  CudaDevice& device_;
  comm::DeviceWorldOptions options_;
  std::shared_ptr<NcclMemory> memory_;
  std::unique_ptr<NcclComm> everyone_;
};

}  // namespace trireme::cuda
