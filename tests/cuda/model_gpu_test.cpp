#include <cstdlib>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/error.h"
#include "core/plugin.h"
#include "model/attention.h"
#include "model/device_attention.h"
#include "model/weight_gradient.h"
#include "tests/cuda/models_on_device.h"

namespace trireme::tests {
namespace {

const at::Device gpu(at::kCUDA, 0);

class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    // What LibTorch demands of whoever wants the same products twice.
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 1);
    try {
      // Before the first tensor: LibTorch looks for its GPU once.
      device_ = open_device_plugin().open(0);
    } catch (const Error& missing) {
      GTEST_SKIP() << missing.what();
    }
    stream_ = device_->make_stream();
    stream_->use_for_tensors();
  }
  std::unique_ptr<Device> device_;
  std::unique_ptr<Stream> stream_;
};

double difference(const at::Tensor& found, const at::Tensor& wanted) {
  const at::Tensor x = found.to(at::kCPU, at::kDouble), y = wanted.to(at::kCPU, at::kDouble);
  return (x - y).abs().max().item<double>() / std::max(y.abs().max().item<double>(), 1e-30);
}

class ModelsOnGpu : public OnGpu {};

TEST_F(ModelsOnGpu, GiveTheHostsLossesAndGradients) {
  ModelsOnDevice models(*device_, gpu);
  for (const ModelCase& each : model_cases()) models.expect_alike(each, at::kFloat, {1e-5, 1e-4});
}

TEST_F(ModelsOnGpu, StayNearTheHostsInHalves) {
  ModelsOnDevice models(*device_, gpu);
  for (const ModelCase& each : model_cases()) {
    if (each.name == "experts") continue;
    models.expect_alike(each, at::kBFloat16, {5e-3, 5e-2});
    models.expect_alike(each, at::kHalf, {2e-3, 2e-2});
  }
}

TEST_F(ModelsOnGpu, CountAndLoseAsTheHostDoes) {
  ModelsOnDevice models(*device_, gpu);
  for (const ModelCase& each : model_cases()) models.expect_alike_in_evaluation(each);
}

TEST_F(ModelsOnGpu, GiveTheSameBitsTwiceWhereTheyAreToldTo) {
  at::globalContext().setDeterministicAlgorithms(true, false);
  ModelsOnDevice models(*device_, gpu);
  for (const ModelCase& each : model_cases()) models.expect_the_same_twice(each, at::kBFloat16);
  at::globalContext().setDeterministicAlgorithms(false, false);
}

struct Attended {
  at::Tensor result;
  std::vector<at::Tensor> gradients;
};

class AttentionOnGpu : public OnGpu {
 protected:
  /// Numbers that fp32 holds as well as halves.
  static std::vector<at::Tensor> inputs(at::ScalarType type, std::int64_t size) {
    at::manual_seed(12);
    std::vector<at::Tensor> made;
    for (const std::int64_t heads : {4, 2, 2, 4}) made.push_back(at::randn({2, 96, heads, size}).to(type));
    return made;
  }
  static Attended attend(const std::vector<at::Tensor>& given, at::Device place, at::ScalarType type,
                         const sharding::Context& context, std::int64_t window) {
    const auto leaf = [&](std::size_t i) { return given[i].to(place, type).detach().requires_grad_(true); };
    const std::vector<at::Tensor> leaves{leaf(0), leaf(1), leaf(2)};
    const at::Tensor result = model::attend(leaves[0], leaves[1], leaves[2], context, window, 0.2);
    return {result, torch::autograd::grad({result}, leaves, {given[3].to(place, type)})};
  }
  static sharding::Context packed(bool is) {
    sharding::Context context;
    if (is) context.document_bounds = at::tensor({0, 7, 7, 24, 96, 191, 192}, at::kInt);
    return context;
  }
};

TEST_F(AttentionOnGpu, IsTheHostsInFp32) {
  const ComputingOn computing(*device_);
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf, at::kFloat})
    for (const std::int64_t size : {8, 64, 128, 256, 12, 264})
      for (const std::int64_t window : {0, 5, 96, 200})
        for (const bool in_documents : {false, true}) {
          const auto given = inputs(type, size);
          EXPECT_EQ(model::attends_on_device(given[0].to(gpu)),
                    type != at::kFloat && size != 12 && size != 264);
          const Attended wanted = attend(given, at::kCPU, at::kFloat, packed(in_documents), window),
                         found = attend(given, gpu, type, packed(in_documents), window);
          const double tolerance = type == at::kBFloat16 ? 2e-2 : type == at::kHalf ? 3e-3 : 1e-5;
          EXPECT_LE(difference(found.result, wanted.result), tolerance)
              << type << ", heads of " << size << ", window " << window << (in_documents ? ", packed" : "");
          for (std::size_t i = 0; i < 3; ++i)
            EXPECT_LE(difference(found.gradients[i], wanted.gradients[i]), tolerance)
                << type << ", heads of " << size << ", window " << window << (in_documents ? ", packed" : "")
                << ", gradient " << i;
        }
}

TEST_F(AttentionOnGpu, DocumentsOfOnePositionAreTheirValues) {
  const ComputingOn computing(*device_);
  const auto given = inputs(at::kBFloat16, 64);
  sharding::Context context;
  context.document_bounds = at::arange(193, at::kInt);
  const Attended found = attend(given, gpu, at::kBFloat16, context, 0),
                 wanted = attend(given, at::kCPU, at::kFloat, context, 0);
  EXPECT_LE(difference(found.result, given[2].repeat_interleave(2, 2)), 0.0);
  EXPECT_LE(difference(found.gradients[2], wanted.gradients[2]), 1e-2);
}

TEST_F(AttentionOnGpu, BoundsThatChangedAreLookedAtAgain) {
  const ComputingOn computing(*device_);
  const auto given = inputs(at::kBFloat16, 64);
  sharding::Context context = packed(true);
  static_cast<void>(attend(given, gpu, at::kBFloat16, context, 0));
  context.document_bounds.fill_(96).select(0, 0).zero_();
  EXPECT_THROW(static_cast<void>(attend(given, gpu, at::kBFloat16, context, 0)), Error);
}

TEST_F(AttentionOnGpu, KeptResultsAreTheOthersToTheBit) {
  const ComputingOn computing(*device_);
  at::globalContext().setDeterministicAlgorithms(true, false);
  for (const bool in_documents : {false, true}) {
    const auto given = inputs(at::kBFloat16, 64);
    sharding::Context context = packed(in_documents);
    const Attended plain = attend(given, gpu, at::kBFloat16, context, 5);
    context.kept = std::make_shared<sharding::KeptPieces>();
    {
      const at::NoGradGuard silent;
      const at::Tensor first =
          model::attend(given[0].to(gpu), given[1].to(gpu), given[2].to(gpu), context, 5, 0.2);
      EXPECT_TRUE(at::equal(first, plain.result));
    }
    context.kept->complete_now();
    const Attended kept = attend(given, gpu, at::kBFloat16, context, 5);
    EXPECT_TRUE(at::equal(kept.result, plain.result));
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(kept.gradients[i], plain.gradients[i])) << i;
  }
  at::globalContext().setDeterministicAlgorithms(false, false);
}

class ProductsOnGpu : public OnGpu {};

TEST_F(ProductsOnGpu, OfHalvesAreSummedInFp32WhereTheyLie) {
  at::manual_seed(6);
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf})
    for (const auto& [rows, m, n] : {std::tuple{7, 3, 5}, {64, 32, 256}, {515, 45, 300}, {1030, 70, 17}}) {
      const at::Tensor left = at::randn({rows, m}).to(type), right = at::randn({rows, n}).to(type);
      const at::Tensor exact = at::mm(left.to(at::kDouble).t(), right.to(at::kDouble));
      at::Tensor into = at::full({m, n}, 77.0, at::TensorOptions().dtype(at::kFloat).device(gpu));
      model::add_product(left.to(gpu), right.to(gpu), into, false);
      EXPECT_LE(difference(into, exact), 3e-6) << type << " " << rows;
      model::add_product(left.to(gpu), right.to(gpu), into, true);
      EXPECT_LE(difference(into, exact * 2), 3e-6) << type << " " << rows;
    }
}

}  // namespace
}  // namespace trireme::tests
