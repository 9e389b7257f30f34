#include <chrono>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sharding/presets.h"
#include "tests/io/scratch.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

/// What a rank holds of a trained group.
std::vector<std::byte> state_of(Engine& engine, int group) {
  std::vector<std::byte> bytes;
  engine.for_each_slice([&](const StateSlice& slice) {
    if (!slice.trainable || slice.group != group) return;
    bytes.resize(bytes.size() + slice.bytes());
    slice.read(0, std::span(bytes).last(slice.bytes()));
  });
  return bytes;
}

std::vector<std::vector<std::byte>> states_of(Engine& engine) {
  std::vector<std::vector<std::byte>> states;
  for (std::size_t group = 0; group < engine.model().groups.size(); ++group)
    states.push_back(state_of(engine, static_cast<int>(group)));
  return states;
}

/// Copies are slow here, and other lanes have long reached the updates.
void expect_that_updates_wait(const ToyJob& job, const std::string& what) {
  comm::run_ranks(
      job.ranks,
      [&](comm::World& world) {
        Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
        engine.load(read_starting_values());
        engine.train(toy_step(job, world.rank(), 1));
        const auto before = states_of(engine);
        std::set<int> copied;
        engine.executor().before_updates([&](int group) {
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
          EXPECT_TRUE(state_of(engine, group) == before[static_cast<std::size_t>(group)])
              << what << " group " << group;
          copied.insert(group);
        });
        engine.train(toy_step(job, world.rank(), 2));
        const auto after = states_of(engine);
        for (std::size_t group = 0; group < before.size(); ++group) {
          const bool trained = engine.model().groups[group].trainable;
          EXPECT_EQ(copied.count(static_cast<int>(group)), trained ? 1u : 0u) << what;
          if (!before[group].empty()) {
            EXPECT_EQ(after[group] == before[group], !trained) << what;
          }
        }
        copied.clear();
        engine.train(toy_step(job, world.rank(), 3));
        EXPECT_TRUE(copied.empty()) << what << ": only the one step is copied";
      },
      job.node_of_rank);
}

TEST(Snapshot, UpdatesWaitForTheCopyOfTheirGroup) {
  const trireme::testing::Scratch scratch;
  for (const char* placement : {"ddp", "zero1", "zero3", "hsdp"})
    for (const Tier tier : {Tier::device, Tier::host, Tier::nvme})
      for (const bool update_when_reduced : {false, true}) {
        ToyJob job;
        job.placement = preset(placement, Codec::bf16);
        job.placement.optimizer.tier = tier;
        job.ranks = 2, job.micro_batches = 2;
        job.node_of_rank = {0, 0};
        job.shape.tied = true;
        job.options.tiers.nvme_paths = {scratch.path()};
        job.options.tiers.part_elements = 192;
        job.options.update_when_reduced = update_when_reduced;
        if (update_when_reduced) job.settings.max_norm = std::nullopt;
        expect_that_updates_wait(job, fmt::format("{} on {}", placement, name_of(tier)));
      }
}

/// A step that failed was not the one to copy beside: nothing was updated in it.
TEST(Snapshot, AFailedStepLeavesTheCopyToTheNextOne) {
  ToyJob job;
  job.placement = preset("zero3", Codec::fp32);
  job.ranks = 1;
  comm::run_ranks(1, [&](comm::World& world) {
    Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
    engine.load(read_starting_values());
    std::set<int> copied;
    engine.executor().before_updates([&](int group) { copied.insert(group); });
    engine.executor().before_each([](const Schedule& schedule, int op) {
      if (schedule.ops[static_cast<std::size_t>(op)].kind == OpKind::backward)
        fail(ExitCode::damaged, "it broke");
    });
    EXPECT_THROW(engine.train(toy_step(job, 0, 1)), Error);
    copied.clear();
    engine.executor().before_each({});
    engine.train(toy_step(job, 0, 1));
    EXPECT_EQ(copied.size(), engine.model().groups.size());
  });
}

}  // namespace
}  // namespace trireme::sharding::tests
