#include "cuda/cuda_plugin.h"
#include "tests/cuda/models_on_device.h"
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

/// Whole models with the device's kernels in place of the CPU's; their sources are the same on both, and so
/// is everything that LibTorch computes.
class ModelsOverDouble : public testing::Test {
 protected:
  void SetUp() override { device_ = plugin_.open(0); }
  void TearDown() override {
    device_.reset();
    EXPECT_EQ(take_misuses(), std::vector<std::string>{});
  }
  cuda::Apis apis_ = apis_without_nccl();
  cuda::CudaPlugin plugin_{apis_};
  std::unique_ptr<Device> device_;
};

TEST_F(ModelsOverDouble, GiveTheHostsLossesAndGradients) {
  ModelsOnDevice models(*device_, at::kCPU);
  for (const ModelCase& each : model_cases()) models.expect_alike(each, at::kFloat, {1e-6, 3e-6});
}

/// A number that falls on the other side of a rounding goes on through the model; which expert takes a
/// position may then change.
TEST_F(ModelsOverDouble, StayNearTheHostsInHalves) {
  ModelsOnDevice models(*device_, at::kCPU);
  for (const ModelCase& each : model_cases()) {
    if (each.name == "experts") continue;
    models.expect_alike(each, at::kBFloat16, {1e-5, 5e-3});
    models.expect_alike(each, at::kHalf, {5e-5, 6e-3});
  }
}

TEST_F(ModelsOverDouble, CountAndLoseAsTheHostDoes) {
  ModelsOnDevice models(*device_, at::kCPU);
  for (const ModelCase& each : model_cases()) models.expect_alike_in_evaluation(each);
}

}  // namespace
}  // namespace trireme::tests
