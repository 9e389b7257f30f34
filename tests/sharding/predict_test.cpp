#include <chrono>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "sharding/predict/memory.h"
#include "sharding/predict/traffic.h"
#include "sharding/presets.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

const std::vector<std::vector<int>> layouts{{0},         {0, 0}, {0, 0, 0}, {0, 0, 1, 1}, {0, 0, 0, 1, 1, 1},
                                            {0, 1, 2, 3}};

class Predicted : public testing::TestWithParam<std::string_view> {};

/// Runs steps with an engine and compares what it counted with what was foretold from its facts alone.
TEST_P(Predicted, MemoryAndTrafficAreTheEnginesOwnToTheByte) {
  for (std::size_t layout = 0; layout < layouts.size(); ++layout) {
    ToyJob job;
    job.shape.tied = layout % 2 == 1;
    job.shape.frozen_blocks = layout % 3 == 2;
    job.placement = preset(GetParam(), layout % 2 ? Codec::bf16 : Codec::fp32);
    job.node_of_rank = layouts[layout];
    job.ranks = static_cast<int>(job.node_of_rank.size());
    job.micro_batches = 1 + static_cast<int>(layout % 2);
    job.options = {static_cast<int>(layout % 3), 1, layout == 4};
    job.options.update_when_reduced = layout == 3 || layout == 4;
    job.options.keeps_gradients = !job.options.update_when_reduced;
    if (layout == 3) job.micro_batches = 1;
    job.settings.steps = 2;
    const auto states = toy_optimizer(job.settings)->states();
    train_on_ranks(job, [&](Engine& engine, int rank) {
      const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
      const MemoryForecast memory = forecast_memory(engine.blueprint(), job.placement, step, states, {});
      const MemoryUse found = engine.memory();
      EXPECT_EQ(memory.of("parameter slots"), found.parameter_slots);
      EXPECT_EQ(memory.of("gradient slots"), found.gradient_slots);
      EXPECT_EQ(memory.of("wire buffers"), found.wires) << GetParam() << " on layout " << layout;
      std::uint64_t kept = 0;
      for (const MemoryLine& line : memory.standing) kept += line.bytes;
      EXPECT_EQ(kept - memory.of("parameter slots") - memory.of("gradient slots") - memory.of("landing") -
                    memory.of("wire buffers"),
                found.states)
          << GetParam() << " on layout " << layout;

      const TrafficCounter counter(step, rank, job.node_of_rank);
      const auto one = counter.total(), loading = counter.publishing();
      const auto steps = static_cast<std::uint64_t>(job.settings.steps);
      EXPECT_EQ(one.inside_node * steps + loading.inside_node, engine.traffic().inside_node)
          << GetParam() << " on layout " << layout;
      EXPECT_EQ(one.across_nodes * steps + loading.across_nodes, engine.traffic().across_nodes)
          << GetParam() << " on layout " << layout;
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, Predicted,
                         testing::Values("ddp", "zero1", "zero2", "zero3", "fsdp_full", "fsdp_grad_op",
                                         "hsdp", "mics", "hpz", "qwz", "qgz", "zeropp", "qlora_fsdp"),
                         [](const auto& param) { return std::string(param.param); });

TEST(Prediction, CountsGradientsThatTravelInHalves) {
  ToyJob job;
  job.placement = preset("zero3", Codec::fp32);
  job.ranks = 2;
  job.placement.gradients.wire = Wire::bf16;
  job.settings.steps = 1;
  train_on_ranks(job, [&](Engine& engine, int) {
    const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
    const MemoryForecast memory =
        forecast_memory(engine.blueprint(), job.placement, step, toy_optimizer(job.settings)->states(), {});
    EXPECT_GT(memory.of("wire buffers"), 0u);
    EXPECT_EQ(memory.of("wire buffers"), engine.memory().wires);
  });
}

}  // namespace
}  // namespace trireme::sharding::tests
