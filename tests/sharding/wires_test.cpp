#include "sharding/wires.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sharding/presets.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

ToyJob job_on(const std::vector<int>& node_of_rank, const char* placement, Codec compute) {
  ToyJob job;
  job.placement = preset(placement, compute);
  job.node_of_rank = node_of_rank;
  job.ranks = static_cast<int>(node_of_rank.size());
  return job;
}

comm::Traffic traffic_of(const ToyJob& job) {
  comm::Traffic all;
  std::mutex mutex;
  train_on_ranks(job, [&](Engine& engine, int) {
    const comm::Traffic here = engine.traffic();
    all.inside_node += here.inside_node, all.across_nodes += here.across_nodes;
  });
  return all;
}

double worst_loss(const ToyRun& run, const ToyRun& reference) {
  double worst = 0;
  for (std::size_t step = 0; step < reference.losses.size(); ++step)
    worst = std::max(worst, std::abs(run.losses[step] / reference.losses[step] - 1.0));
  return worst;
}

class QuantisedWires : public testing::TestWithParam<const char*> {};

TEST_P(QuantisedWires, FollowTheExactCurve) {
  const ToySettings settings;
  const ToyRun reference = train_plainly({}, settings);
  for (const auto& nodes :
       {std::vector<int>{0, 0}, {0, 0, 0}, {0, 0, 1, 1}, {0, 1, 2, 0}, {0, 0, 0, 1, 1, 1}}) {
    const ToyRun run = train_on_ranks(job_on(nodes, GetParam(), Codec::fp32));
    ASSERT_EQ(run.losses.size(), reference.losses.size());
    EXPECT_LT(worst_loss(run, reference), 2e-2) << GetParam() << " on " << nodes.size();
    EXPECT_GT(worst_loss(run, reference), 1e-7) << GetParam() << " did not quantise anything";
  }
}

TEST_P(QuantisedWires, TwoRunsAreTheSameToTheBit) {
  const ToyJob job = job_on({0, 0, 1, 1}, GetParam(), Codec::bf16);
  const ToyRun first = train_on_ranks(job), second = train_on_ranks(job);
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(first.norms, second.norms);
}

INSTANTIATE_TEST_SUITE_P(Presets, QuantisedWires, testing::Values("qwz", "qgz", "zeropp"));

TEST(Wires, GradientsMayTravelInHalfTheBytes) {
  const ToyRun reference = train_plainly({}, {});
  for (const char* name : {"ddp", "zero1", "zero2", "zero3", "hsdp"}) {
    ToyJob job = job_on({0, 0, 1, 1}, name, Codec::fp32);
    const comm::Traffic whole = traffic_of(job);
    job.placement.gradients.wire = Wire::bf16;
    EXPECT_LT(worst_loss(train_on_ranks(job), reference), 5e-3) << name;
    const comm::Traffic half = traffic_of(job);
    EXPECT_LT(half.inside_node + half.across_nodes, whole.inside_node + whole.across_nodes) << name;
  }
}

TEST(Wires, ZeroPlusPlusCrossesNodesWithLessThanAThird) {
  ToyJob whole = job_on({0, 0, 1, 1}, "zero3", Codec::bf16);
  whole.shape.width = 64;
  whole.placement.gradients.wire = Wire::bf16;
  ToyJob quantised = job_on({0, 0, 1, 1}, "zeropp", Codec::bf16);
  quantised.shape.width = 64;
  const double ratio = static_cast<double>(traffic_of(quantised).across_nodes) /
                       static_cast<double>(traffic_of(whole).across_nodes);
  RecordProperty("ratio", fmt::format("{:.3f}", ratio));
  EXPECT_LT(ratio, 0.30);
  EXPECT_GT(ratio, 0.20);
}

TEST(Wires, AnOverflowIsSeenThroughThem) {
  ToyJob job = job_on({0, 0, 1, 1}, "zeropp", Codec::fp32);
  comm::run_ranks(
      job.ranks,
      [&](comm::World& world) {
        Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
        engine.load(read_starting_values());
        StepInput step = toy_step(job, world.rank(), 1);
        if (world.rank() == 2)
          for (Context& context : step.micro_batches)
            context.loss_weight = std::numeric_limits<double>::infinity();
        EXPECT_TRUE(engine.train(step).overflow);
        EXPECT_FALSE(engine.train(toy_step(job, world.rank(), 1)).overflow);
      },
      job.node_of_rank);
}

TEST(Wires, TwoHopsEndInSlicesOfAllRanks) {
  Placement placement = preset("hsdp");
  placement.gradients.wire = Wire::int4_two_hop;
  const auto found = misfits(placement, {4, 2});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].nearest, "placement.gradients.wire=bf16");
}

}  // namespace
}  // namespace trireme::sharding::tests
