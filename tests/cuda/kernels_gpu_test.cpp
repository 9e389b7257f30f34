#include "core/error.h"
#include "core/plugin.h"
#include "tests/cuda/model_kernels_on_device.h"
#include "tests/cuda/updates_on_device.h"

namespace trireme::tests {
namespace {

class KernelsOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    try {
      device_ = open_device_plugin().open(0);
    } catch (const Error& missing) {
      GTEST_SKIP() << missing.what();
    }
  }
  std::unique_ptr<Device> device_;
};

TEST_F(KernelsOnGpu, MoveVectors) {
  UpdatesOnDevice(*device_).compare_vectors();
}
TEST_F(KernelsOnGpu, UpdateWithAdamW) {
  UpdatesOnDevice(*device_).compare_adamw();
}
TEST_F(KernelsOnGpu, UpdateWithAdamWOf8Bits) {
  UpdatesOnDevice(*device_).compare_adamw8();
}
TEST_F(KernelsOnGpu, UpdateWithSgd) {
  UpdatesOnDevice(*device_).compare_sgd();
}
TEST_F(KernelsOnGpu, NormRows) {
  ModelKernelsOnDevice(*device_).compare_norms();
}
TEST_F(KernelsOnGpu, GateActivations) {
  ModelKernelsOnDevice(*device_).compare_swiglu();
}
TEST_F(KernelsOnGpu, RotateHeads) {
  ModelKernelsOnDevice(*device_).compare_rotations();
}
TEST_F(KernelsOnGpu, ScoreChunks) {
  ModelKernelsOnDevice(*device_).compare_chunks();
}
TEST_F(KernelsOnGpu, LoseBySoftmax) {
  ModelKernelsOnDevice(*device_).compare_losses();
}
TEST_F(KernelsOnGpu, DequantiseWeights) {
  ModelKernelsOnDevice(*device_).compare_nf4();
}
TEST_F(KernelsOnGpu, DrawDropout) {
  ModelKernelsOnDevice(*device_).compare_dropout();
}

}  // namespace
}  // namespace trireme::tests
