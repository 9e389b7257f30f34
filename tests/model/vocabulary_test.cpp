#include "model/vocabulary.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "model/known_models.h"
#include "model/layout.h"
#include "sharding/layout.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

using trireme::testing::load_whole;
using trireme::testing::row_positions;
using trireme::testing::WholeModel;

constexpr std::int64_t rows = 2, length = 24;

/// The same model whole and in chunks of the vocabulary, with the same weights.
class Chunked : public ::testing::TestWithParam<std::string> {
 protected:
  Chunked() : pretrained_(std::filesystem::path(TRIREME_GOLDEN) / "models" / GetParam()) {}

  std::map<std::string, at::Tensor> by_name(const WholeModel& of) const {
    std::map<std::string, at::Tensor> found;
    for (std::size_t g = 0; g < of.weights.size(); ++g)
      for (std::size_t p = 0; p < of.weights[g].size(); ++p)
        found.emplace(of.model.groups[g].parameters[p].name, of.weights[g][p]);
    return found;
  }

  WholeModel in_chunks(const WholeModel& whole, std::int64_t chunk, at::ScalarType compute) const {
    ModelSpec spec = pretrained_.spec();
    spec.vocabulary_chunk = chunk;
    WholeModel made{build_model(spec, compute), {}};
    const auto tensors = by_name(whole);
    for (const auto& group : made.model.groups) {
      std::vector<at::Tensor> weights;
      for (const sharding::Parameter& parameter : group.parameters) {
        const at::Tensor flat = tensors.at(parameter.name).detach().flatten();
        weights.push_back(flat.narrow(0, parameter.first, sharding::element_count(parameter))
                              .reshape(parameter.shape)
                              .clone()
                              .requires_grad_(true));
      }
      made.weights.push_back(std::move(weights));
    }
    return made;
  }

  sharding::Context context() const {
    at::manual_seed(4);
    sharding::Context made;
    made.tokens = at::randint(pretrained_.spec().vocabulary, {rows, length}, at::kLong);
    made.positions = row_positions(made.tokens);
    return made;
  }
  sharding::Context labelled(bool training) const {
    sharding::Context made = context();
    made.labels = at::randint(pretrained_.spec().vocabulary, {rows, length}, at::kLong);
    made.labels.narrow(1, 5, 7).fill_(-100);
    made.loss_weight = 1.0 / made.labels.ne(-100).sum().item<double>();
    made.training = training;
    return made;
  }

  /// Gradients of each parameter, the parts of one behind each other.
  std::map<std::string, at::Tensor> gradients(const WholeModel& of, const at::Tensor& loss) const {
    std::vector<at::Tensor> leaves;
    for (const auto& group : of.weights) leaves.insert(leaves.end(), group.begin(), group.end());
    const auto values = torch::autograd::grad({loss}, leaves);
    std::map<std::string, std::map<std::int64_t, at::Tensor>> parts;
    std::size_t next = 0;
    for (const auto& group : of.model.groups)
      for (const sharding::Parameter& parameter : group.parameters)
        parts[parameter.name][parameter.first] = values[next++].flatten();
    std::map<std::string, at::Tensor> made;
    for (const auto& [name, pieces] : parts) {
      std::vector<at::Tensor> all;
      for (const auto& [first, piece] : pieces) all.push_back(piece);
      made.emplace(name, at::cat(all));
    }
    return made;
  }

  train::Pretrained pretrained_;
};

double largest(const at::Tensor& tensor) {
  return tensor.to(at::kFloat).abs().max().item<double>();
}

TEST_P(Chunked, GiveTheLossAndEveryGradientOfTheWhole) {
  const WholeModel whole = load_whole(pretrained_);
  const sharding::Context given = labelled(true);
  const at::Tensor loss = whole.forward(given).loss;
  const auto expected = gradients(whole, loss);
  const std::int64_t vocabulary = pretrained_.spec().vocabulary;
  for (const std::int64_t chunk : {vocabulary / 2, vocabulary / 3 + 1, std::int64_t{17}}) {
    const WholeModel parts = in_chunks(whole, chunk, at::kFloat);
    EXPECT_GE(parts.model.units.size(), whole.model.units.size() + 3);
    const at::Tensor here = parts.forward(given).loss;
    EXPECT_NEAR(here.item<double>() / loss.item<double>(), 1, 1e-6);
    const auto found = gradients(parts, here);
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, gradient] : expected)
      EXPECT_LE(largest(found.at(name) - gradient), 2e-6 + 2e-5 * largest(gradient)) << name << " " << chunk;
  }
}

TEST_P(Chunked, GiveTheWholesLogitsAndHits) {
  const at::NoGradGuard guard;
  const WholeModel whole = load_whole(pretrained_);
  const WholeModel parts = in_chunks(whole, 19, at::kFloat);
  const at::Tensor logits = whole.forward(context()).hidden, here = parts.forward(context()).hidden;
  ASSERT_EQ(here.sizes(), logits.sizes());
  EXPECT_LE(largest(here - logits), 1e-5 * largest(logits));

  sharding::Context given = labelled(false);
  // Some labels are right, so that there is something to count.
  given.labels.narrow(1, 0, 5).copy_(logits.argmax(-1).narrow(1, 0, 5));
  const sharding::Activation scored = whole.forward(given), again = parts.forward(given);
  EXPECT_GE(scored.more.at(0).item<std::int64_t>(), rows * 5);
  EXPECT_EQ(again.more.at(0).item<std::int64_t>(), scored.more.at(0).item<std::int64_t>());
  EXPECT_NEAR(again.loss.item<double>() / scored.loss.item<double>(), 1, 1e-6);
}

TEST_P(Chunked, StayNearTheWholeInBf16) {
  const WholeModel whole = load_whole(pretrained_, at::kBFloat16, at::kBFloat16);
  const WholeModel parts = in_chunks(whole, 40, at::kBFloat16);
  const sharding::Context given = labelled(true);
  const at::Tensor loss = whole.forward(given).loss, here = parts.forward(given).loss;
  // The whole head caps its logits in bf16, chunks do so in fp32.
  const double rounding = pretrained_.spec().logit_cap > 0 ? 5e-4 : 1e-5;
  EXPECT_NEAR(here.item<double>() / loss.item<double>(), 1, rounding);
  const auto expected = gradients(whole, loss), found = gradients(parts, here);
  for (const auto& [name, gradient] : expected)
    EXPECT_LE((found.at(name) - gradient).to(at::kFloat).norm().item<double>(),
              0.03 * gradient.to(at::kFloat).norm().item<double>() + 1e-5)
        << name;
}

INSTANTIATE_TEST_SUITE_P(Models, Chunked, ::testing::Values("llama2", "gpt2", "gemma2", "gemma3", "llama31"));

TEST(VocabularyChunks, AreOfTheSizeOfABlockAndOnlyWhereTheVocabularyIsLarge) {
  const ModelSpec large = *known_model("llama-3-70b");
  const auto chunk_elements = [](const ModelSpec& spec, const std::optional<LoraSettings>& lora) {
    return fitting_chunk_rows(spec, lora) * spec.hidden;
  };
  std::int64_t block = 0;
  for (const sharding::Parameter& parameter : block_layout(large, 0).parameters)
    block += sharding::element_count(parameter);
  EXPECT_LE(chunk_elements(large, {}), block);
  EXPECT_EQ(chunk_elements(large, {}), large.vocabulary * large.hidden / 2);
  LoraSettings lora;
  lora.four_bit_base = true;
  EXPECT_LE(chunk_elements(large, lora) * 2, block * 0.52);
  EXPECT_GE(chunk_elements(large, lora) * 2, block * 0.4);
  EXPECT_EQ(fitting_chunk_rows(*known_model("llama-2-7b"), {}), 0);
}

TEST(VocabularyChunks, AreCutEarlierWhereLogitsAreKept) {
  const ModelSpec spec = *known_model("mpt-125m");
  const std::int64_t block = sharding::element_count(block_layout(spec, 0).parameters[0]);
  ASSERT_GT(spec.vocabulary * spec.hidden, block);
  EXPECT_EQ(fitting_chunk_rows(spec, {}), 0);
  EXPECT_GT(fitting_chunk_rows(spec, {}, true), 0);
  EXPECT_TRUE(keeps_logits(spec, logits_at_once / spec.vocabulary));
  EXPECT_FALSE(keeps_logits(spec, logits_at_once / spec.vocabulary + 1));
}

TEST(VocabularyChunks, CoverTheVocabularyOnce) {
  ModelSpec spec = *known_model("llama-3-8b");
  spec.vocabulary_chunk = even_chunk_rows(spec, 50000);
  std::int64_t next = 0;
  for (const VocabularyChunk& chunk : vocabulary_chunks(spec)) {
    EXPECT_EQ(chunk.first, next);
    EXPECT_EQ(chunk.first * spec.hidden % 4096, 0);
    next += chunk.rows;
  }
  EXPECT_EQ(next, spec.vocabulary);
}

}  // namespace
}  // namespace trireme::model
