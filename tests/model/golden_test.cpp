#include <filesystem>

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

namespace fs = std::filesystem;
using trireme::testing::bytes_of;
using trireme::testing::load_whole;
using trireme::testing::row_positions;
using trireme::testing::shifted;
using trireme::testing::WholeModel;

const fs::path golden = TRIREME_GOLDEN;

at::Tensor stored(const io::SafetensorsFile& file, const std::string& name) {
  const io::StoredTensor& entry = file.at(name);
  at::Tensor tensor = at::empty(entry.shape, entry.dtype == DType::i64   ? at::kLong
                                             : entry.dtype == DType::f64 ? at::kDouble
                                                                         : at::kFloat);
  file.read(entry, 0, bytes_of(tensor));
  return tensor;
}

struct Expected {
  explicit Expected(const fs::path& folder) : file(folder / "expected.safetensors") {
    context.tokens = stored(file, "tokens");
    context.positions = row_positions(context.tokens);
    labels = shifted(stored(file, "labels"));
  }
  io::SafetensorsFile file;
  sharding::Context context;
  at::Tensor labels;
};

double largest(const at::Tensor& tensor) {
  return tensor.abs().max().item<double>();
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, LogitsEqualTransformers) {
  const Expected expected(golden / "models" / GetParam());
  const WholeModel whole = load_whole(train::Pretrained(golden / "models" / GetParam()));
  const at::Tensor logits = whole.forward(expected.context).hidden;
  const at::Tensor reference = stored(expected.file, "logits");
  ASSERT_EQ(logits.sizes(), reference.sizes());
  EXPECT_LT(largest(logits - reference), 1e-4);
  EXPECT_GT(largest(reference), 1.0);
}

TEST_P(Golden, LossAndGradientsEqualTransformers) {
  Expected expected(golden / "models" / GetParam());
  const WholeModel whole = load_whole(train::Pretrained(golden / "models" / GetParam()));
  expected.context.labels = expected.labels;
  expected.context.loss_weight = 1.0 / expected.labels.ne(-100).sum().item<double>();
  const at::Tensor loss = whole.forward(expected.context).loss;
  EXPECT_NEAR(loss.item<double>() / stored(expected.file, "loss").item<double>(), 1.0, 1e-5);
  for (const auto& [name, gradient] : whole.gradients(loss)) {
    const double norm = stored(expected.file, "norm/" + name).item<double>();
    // A key's bias shifts all scores of a query alike, so its gradient is zero but for rounding.
    const double tolerance = 1e-4 * std::max(norm, 1e-2);
    EXPECT_NEAR(gradient.to(at::kDouble).norm().item<double>(), norm, tolerance) << name;
    const at::Tensor flat = gradient.flatten(), reference = stored(expected.file, "samples/" + name);
    const std::int64_t stride = std::max<std::int64_t>(1, flat.numel() / 64);
    const at::Tensor samples = flat.slice(0, 0, std::nullopt, stride).narrow(0, 0, reference.numel());
    EXPECT_LT(largest(samples - reference), tolerance) << name;
  }
}

TEST_P(Golden, CastWeightsGiveTheSameGradientsInTheirOwnType) {
  Expected expected(golden / "models" / GetParam());
  const train::Pretrained pretrained(golden / "models" / GetParam());
  expected.context.labels = expected.labels;
  expected.context.loss_weight = 1.0 / expected.labels.ne(-100).sum().item<double>();
  const WholeModel exact = load_whole(pretrained), cast = load_whole(pretrained, at::kBFloat16, at::kFloat);
  const at::Tensor loss = exact.forward(expected.context).loss, again = cast.forward(expected.context).loss;
  EXPECT_EQ(loss.item<double>(), again.item<double>());
  const auto reference = exact.gradients(loss), rounded = cast.gradients(again);
  for (const auto& [name, gradient] : rounded) {
    EXPECT_EQ(gradient.scalar_type(), at::kBFloat16) << name;
    EXPECT_LE(largest(gradient.to(at::kFloat) - reference.at(name)),
              0.01 * largest(reference.at(name)) + 1e-6)
        << name;
  }
}

TEST_P(Golden, Bf16ComputeStaysNear) {
  Expected expected(golden / "models" / GetParam());
  expected.context.labels = expected.labels;
  expected.context.loss_weight = 1.0 / expected.labels.ne(-100).sum().item<double>();
  const train::Pretrained pretrained(golden / "models" / GetParam());
  for (const at::ScalarType weights : {at::kFloat, at::kBFloat16}) {
    const WholeModel whole = load_whole(pretrained, weights, at::kBFloat16);
    const at::Tensor loss = whole.forward(expected.context).loss;
    EXPECT_NEAR(loss.item<double>() / stored(expected.file, "loss").item<double>(), 1.0, 0.03);
    for (const auto& [name, gradient] : whole.gradients(loss)) {
      const double norm = stored(expected.file, "norm/" + name).item<double>();
      EXPECT_EQ(gradient.scalar_type(), weights) << name;
      EXPECT_NEAR(gradient.to(at::kDouble).norm().item<double>(), norm, 0.15 * norm + 0.01) << name;
    }
  }
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(golden / "models"))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Families, Golden, ::testing::ValuesIn(cases()), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace trireme::model
