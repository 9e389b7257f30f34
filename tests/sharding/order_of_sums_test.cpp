#include <gtest/gtest.h>

#include "optim/sgd.h"
#include "sharding/presets.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

/// Its loss is its only parameter's sum times the rank's token, so that token is each gradient.
class TokenTimesSum final : public Unit {
 public:
  const std::string& name() const override { return name_; }
  const std::vector<int>& groups() const override { return groups_; }
  Activation forward(const Activation&, const Context& context, const Weights& weights) const override {
    return {{}, {}, (weights[0][0].to(at::kFloat) * context.tokens.to(at::kFloat)).sum()};
  }

 private:
  std::string name_ = "only";
  std::vector<int> groups_{0};
};

Model one_parameter() {
  Model model;
  model.groups.push_back({"only", {{"only.weight", {8}}}, true, {}});
  model.units.push_back(std::make_unique<TokenTimesSum>());
  return model;
}

/// What all ranks' gradients sum up to, each rank's being `gradients[rank]`.
float summed(const char* placement, const std::vector<int>& node_of_rank,
             const std::vector<std::int64_t>& gradients) {
  std::map<std::string, std::vector<float>> parameters;
  std::mutex mutex;
  comm::run_ranks(
      static_cast<int>(node_of_rank.size()),
      [&](comm::World& world) {
        Engine engine(one_parameter(), preset(placement, Codec::fp32),
                      std::make_unique<optim::Sgd>(optim::SgdSettings{}), world, {});
        engine.load(
            [](const Parameter&, std::int64_t, std::span<float> into) { std::ranges::fill(into, 0.0f); });
        StepInput step;
        step.micro_batches.resize(1);
        step.micro_batches[0].tokens = at::tensor(gradients[static_cast<std::size_t>(world.rank())]);
        step.learning_rate = 1.0;
        step.step = 1;
        engine.train(step);
        const std::lock_guard lock(mutex);
        collect(engine, parameters);
      },
      node_of_rank);
  for (const float value : parameters.at("only.weight")) EXPECT_EQ(value, parameters.at("only.weight")[0]);
  return -parameters.at("only.weight")[0];
}

/// In fp32 a one beside 2^25 is lost: rank by rank it is the second one that is left, node by node neither.
TEST(OrderOfSums, IsRankByRankOrNodeByNode) {
  constexpr std::int64_t large = 1 << 25;
  const std::vector<std::int64_t> gradients{large, 1, -large, 1};
  for (const char* placement : {"ddp", "zero1", "zero2", "zero3"})
    for (const auto& nodes : {std::vector<int>{0, 0, 0, 0}, {0, 0, 1, 1}})
      EXPECT_EQ(summed(placement, nodes, gradients), 1.0f)
          << placement << (nodes[3] == 0 ? " on one node" : " on two");
  EXPECT_EQ(summed("hsdp", {0, 0, 0, 0}, gradients), 1.0f);
  EXPECT_EQ(summed("hsdp", {0, 0, 1, 1}, gradients), 0.0f);
}

}  // namespace
}  // namespace trireme::sharding::tests
