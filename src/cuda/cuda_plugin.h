#pragma once
#include "core/device.h"
#include "cuda/apis.h"

namespace trireme::cuda {

class CudaPlugin final : public DevicePlugin {
 public:
  /// Throws an Error with ExitCode::configuration unless there is a driver that is new enough and a GPU.
  explicit CudaPlugin(const Apis& apis);

  int device_count() const override { return device_count_; }
  DeviceInfo info(int index) const override;
  std::unique_ptr<Device> open(int index) override;
  std::unique_ptr<comm::World> world(Device& device, comm::DeviceWorldOptions options) override;

 private:
  const Apis& apis_;
  int device_count_ = 0;
};

}  // namespace trireme::cuda
