#include <fmt/format.h>

#include "cuda/cuda_plugin.h"
#include "tests/cuda/model_kernels_on_device.h"
#include "tests/cuda/updates_on_device.h"
#include "tests/nccl_double/host_compute.h"
#include "tests/nccl_double/host_cuda.h"

namespace trireme::tests {
namespace {

cuda::Apis apis_without_nccl() {
  cuda::Apis apis{};
  apis.cuda = host_cuda_api(), apis.compute = host_compute_api();
  apis.use_for_tensors = use_host_stream_for_tensors, apis.tensor_stream = host_tensor_stream;
  apis.is_host = true;
  return apis;
}

/// The device's kernels by threads of the host: few, so that each has many turns, and as many as a warp's, so
/// that a missing meeting or two writers of a place are found; in fewer groups than a launch has on a device.
class KernelsOverDouble : public testing::TestWithParam<HostLaunch> {
 protected:
  void SetUp() override {
    set_host_launch(GetParam());
    device_ = plugin_.open(0);
  }
  void TearDown() override {
    device_.reset();
    set_host_launch({});
    EXPECT_EQ(take_misuses(), std::vector<std::string>{});
    EXPECT_EQ(host_cuda_alive(), 0u);
  }

  const cuda::Apis apis_ = apis_without_nccl();
  cuda::CudaPlugin plugin_{apis_};
  std::unique_ptr<Device> device_;
};

TEST_P(KernelsOverDouble, MoveVectors) {
  UpdatesOnDevice(*device_).compare_vectors();
}
TEST_P(KernelsOverDouble, UpdateWithAdamW) {
  UpdatesOnDevice(*device_).compare_adamw();
}
TEST_P(KernelsOverDouble, UpdateWithAdamWOf8Bits) {
  UpdatesOnDevice(*device_).compare_adamw8();
}
TEST_P(KernelsOverDouble, UpdateWithSgd) {
  UpdatesOnDevice(*device_).compare_sgd();
}
TEST_P(KernelsOverDouble, NormRows) {
  ModelKernelsOnDevice(*device_).compare_norms();
}
TEST_P(KernelsOverDouble, GateActivations) {
  ModelKernelsOnDevice(*device_).compare_swiglu();
}
TEST_P(KernelsOverDouble, RotateHeads) {
  ModelKernelsOnDevice(*device_).compare_rotations();
}
TEST_P(KernelsOverDouble, ScoreChunks) {
  ModelKernelsOnDevice(*device_).compare_chunks();
}
TEST_P(KernelsOverDouble, LoseBySoftmax) {
  ModelKernelsOnDevice(*device_).compare_losses();
}
TEST_P(KernelsOverDouble, DequantiseWeights) {
  ModelKernelsOnDevice(*device_).compare_nf4();
}
TEST_P(KernelsOverDouble, DrawDropout) {
  ModelKernelsOnDevice(*device_).compare_dropout();
}

INSTANTIATE_TEST_SUITE_P(Threads, KernelsOverDouble,
                         testing::Values(HostLaunch{}, HostLaunch{5, 3}, HostLaunch{32, 2}),
                         [](const auto& launch) { return fmt::format("By{}", launch.param.threads); });

}  // namespace
}  // namespace trireme::tests
