#include "sharding/tiers.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <filesystem>
#include <limits>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "sharding/predict/memory.h"
#include "sharding/presets.h"
#include "sharding/room.h"
#include "tests/offload/scratch.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

using offload::tests::Scratch;
using testing::HasSubstr;

/// Parts of 64 elements, so that every group of the toy has several and some are not whole sectors.
TierOptions on(const Scratch& scratch, int drives = 1) {
  TierOptions options;
  for (int i = 0; i < drives; ++i) options.nvme_paths.push_back(scratch.make(std::to_string(i)));
  options.part_elements = 64;
  options.update_cores = {0, 0};
  return options;
}

ToyJob job_of(Codec codec, const char* name, int ranks) {
  ToyJob job;
  job.placement = preset(name, codec);
  job.ranks = ranks;
  job.micro_batches = 2;
  job.settings.steps = 4;
  return job;
}

TEST(Tiers, StateOnHostOrDriveTrainsToTheBitsOfStateOnTheDevice) {
  const Scratch scratch;
  for (const Codec codec : {Codec::fp32, Codec::bf16})
    for (const char* name : {"zero1", "zero2", "zero3", "ddp", "hpz"})
      for (const int ranks : {1, 2, 4}) {
        ToyJob job = job_of(codec, name, ranks);
        if (ranks == 2) job.settings.max_norm = 0.5;
        if (ranks == 4) job.shape.tied = true;
        const ToyRun device = train_on_ranks(job);
        for (const Tier tier : {Tier::host, Tier::nvme}) {
          job.placement.optimizer.tier = tier;
          job.options.tiers = on(scratch, ranks);
          expect_same_bits(
              train_on_ranks(job), device,
              fmt::format("{} {} on {}, {} ranks: ", name, name_of(codec), name_of(tier), ranks));
        }
      }
  EXPECT_EQ(scratch.files(), 0) << "a clean end leaves no file";
}

/// Values that a split master cannot hold are moved alike where it is whole; a rate of nothing keeps them.
TEST(Tiers, TiesAreTheSameOnEveryTier) {
  const Scratch scratch;
  const ReadFloats ties = [](const Parameter& parameter, std::int64_t begin, std::span<float> into) {
    read_starting_values()(parameter, begin, into);
    for (float& value : into) {
      const auto bits = std::bit_cast<std::uint32_t>(value) & 0xffff0000u;
      value = std::bit_cast<float>(bits | 0x8000u);
    }
  };
  for (const char* name : {"zero1", "zero3", "ddp"})
    for (const int ranks : {1, 2, 4})
      for (const double rate : {0.0, 3e-3}) {
        ToyJob job = job_of(Codec::bf16, name, ranks);
        std::map<std::string, std::vector<float>> kept[3];
        std::vector<double> losses[3];
        for (const Tier tier : {Tier::device, Tier::host, Tier::nvme}) {
          job.placement.optimizer.tier = tier;
          job.settings.learning_rate = rate;
          job.options.tiers = on(scratch);
          const auto t = static_cast<std::size_t>(tier);
          std::mutex mutex;
          comm::run_ranks(ranks, [&](comm::World& world) {
            Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world,
                          job.options);
            engine.load(ties);
            for (int step = 1; step <= 3; ++step) {
              const StepResult result = engine.train(toy_step(job, world.rank(), step));
              if (world.rank() == 0) losses[t].push_back(result.loss);
            }
            const std::lock_guard lock(mutex);
            collect(engine, kept[t]);
          });
        }
        EXPECT_EQ(kept[0], kept[1]) << name << ranks;
        EXPECT_EQ(kept[0], kept[2]) << name << ranks;
        EXPECT_EQ(losses[0], losses[1]) << name << ranks;
        EXPECT_EQ(losses[0], losses[2]) << name << ranks;
        std::size_t moved = 0;
        for (const auto& [parameter, values] : kept[0])
          for (const float value : values)
            moved += (std::bit_cast<std::uint32_t>(value) & 0xffffu) == 0x7fffu;
        EXPECT_EQ(moved > 100, rate == 0.0);
      }
}

TEST(Tiers, ParametersMayLieOnTheDriveToo) {
  const Scratch scratch;
  for (const int ranks : {1, 2}) {
    for (const char* name : {"zero_offload", "zero_infinity"}) {
      for (const Codec codec : {Codec::fp32, Codec::bf16}) {
        ToyJob job = job_of(codec, name, ranks);
        job.shape.frozen_blocks = ranks == 2;
        job.options.tiers = on(scratch, 2);
        ToyJob device = job;
        for (State* state :
             {&device.placement.parameters, &device.placement.gradients, &device.placement.optimizer})
          state->tier = Tier::device;
        expect_same_bits(train_on_ranks(job), train_on_ranks(device), name);
      }
    }
  }
}

/// The device is the host: nothing moves, and what is counted is counted there.
TEST(Tiers, GradientsOnTheHostAreTheSameMemoryAndCountThere) {
  for (const Codec codec : {Codec::fp32, Codec::bf16})
    for (const char* name : {"ddp", "zero1", "zero2", "zero3", "hsdp"})
      for (const int ranks : {1, 2, 4}) {
        ToyJob job = job_of(codec, name, ranks);
        job.placement.optimizer.tier = Tier::host;
        if (ranks == 2) job.settings.max_norm = 0.5;
        std::atomic<std::size_t> states{0};
        const ToyRun device =
            train_on_ranks(job, [&](Engine& engine, int) { states = engine.memory().states; });
        job.placement.gradients.tier = Tier::host;
        const ToyRun host = train_on_ranks(job, [&](Engine& engine, int) {
          const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
          EXPECT_EQ(std::ranges::count(step.ops, OpKind::lower, &Op::kind), 0);
          const MemoryForecast memory = forecast_memory(engine.blueprint(), job.placement, step,
                                                        toy_optimizer(job.settings)->states(), {});
          const MemoryUse use = engine.memory();
          EXPECT_EQ(memory.of("gradients"), use.host_gradients);
          EXPECT_EQ(memory.totals()[static_cast<std::size_t>(Tier::host)], use.host());
          EXPECT_EQ(states, use.states + use.host_gradients);
        });
        expect_same_bits(host, device, fmt::format("{} {}, {} ranks: ", name, name_of(codec), ranks));
      }
}

TEST(Tiers, UpdatesMayBeginDuringBackward) {
  const Scratch scratch;
  for (const int ranks : {1, 2})
    for (const char* name : {"zero1", "zero3", "ddp"}) {
      ToyJob job = job_of(Codec::bf16, name, ranks);
      job.shape.tied = true;
      const ToyRun after_norm = train_on_ranks(job);
      for (const Tier tier : {Tier::device, Tier::host, Tier::nvme}) {
        job.placement.optimizer.tier = tier;
        job.options.tiers = on(scratch);
        job.options.update_when_reduced = true;
        expect_same_bits(train_on_ranks(job), after_norm, fmt::format("{} on {}", name, name_of(tier)));
      }
    }
}

TEST(Tiers, GradientsMayVanishDuringBackward) {
  const Scratch scratch;
  for (const char* name : {"ddp", "zero1", "zero2", "zero3", "hsdp", "mics", "hpz", "zeropp"})
    for (const int micro_batches : {1, 3})
      for (const int depth : {0, 2}) {
        ToyJob job = job_of(Codec::bf16, name, 4);
        job.node_of_rank = {0, 0, 1, 1};
        job.shape.tied = depth == 0;
        job.micro_batches = micro_batches;
        job.options.unit_major = micro_batches > 1;
        job.options.reduce_depth = depth;
        const ToyRun kept = train_on_ranks(job);
        job.options.update_when_reduced = true, job.options.keeps_gradients = false;
        job.placement.optimizer.tier = depth > 0 ? Tier::device : micro_batches > 1 ? Tier::host : Tier::nvme;
        job.options.tiers = on(scratch);
        expect_same_bits(train_on_ranks(job), kept, fmt::format("{}, depth {}", name, depth));
      }
}

TEST(Tiers, AnyRingBackendAndSizeOfPartsGiveTheSame) {
  const Scratch scratch;
  ToyJob job = job_of(Codec::bf16, "zero2", 2);
  const ToyRun device = train_on_ranks(job);
  job.placement.optimizer.tier = Tier::nvme;
  for (const char* backend : {"io_uring", "threads"})
    for (const int ring : {1, 2, 5})
      for (const std::int64_t part : {64, 192, 1 << 20}) {
        job.options.tiers = on(scratch, 3);
        job.options.tiers.nvme_backend = backend;
        job.options.tiers.parts_in_memory = ring;
        job.options.tiers.part_elements = part;
        expect_same_bits(train_on_ranks(job), device, fmt::format("{} {} {}", backend, ring, part));
      }
}

TEST(Tiers, ARingThatTakesWhatMemoryIsLeftGivesTheSame) {
  const Scratch scratch;
  for (const int micro_batches : {1, 3}) {
    ToyJob job = job_of(Codec::bf16, "zero2", 2);
    job.micro_batches = micro_batches;
    const ToyRun device = train_on_ranks(job);
    job.placement.optimizer.tier = Tier::nvme;
    job.options.tiers = on(scratch, 3);
    job.options.tiers.parts_in_memory = 2, job.options.tiers.part_elements = 64;
    job.options.work_beside_parts = [] { return ModelWork{}; };
    std::atomic<std::size_t> before_norm{0}, after_norm{0};
    job.before_each = [&](const Schedule& schedule, int op) {
      const auto norm = std::ranges::find(schedule.ops, OpKind::norm, &Op::kind) - schedule.ops.begin();
      if (schedule.ops[static_cast<std::size_t>(op)].kind == OpKind::fetch)
        ++(op < norm ? before_norm : after_norm);
    };
    expect_same_bits(train_on_ranks(job), device, fmt::format("{} micro-batches", micro_batches));
    EXPECT_GT(before_norm, 0);
    EXPECT_EQ(after_norm, 0);
  }
}

TEST(Tiers, RanksWithDifferentRoomTakeTheSameRing) {
  const Scratch scratch;
  ToyJob job = job_of(Codec::bf16, "zero2", 2);
  const ToyRun device = train_on_ranks(job);
  job.placement.optimizer.tier = Tier::nvme;
  job.options.tiers = on(scratch, 3);
  job.options.tiers.parts_in_memory = 2, job.options.tiers.part_elements = 64;
  std::atomic<int> asked{0};
  job.options.work_beside_parts = [] { return ModelWork{}; };
  job.options.host_limits = [&asked] {
    return offload::HostLimits{{}, {}, 2 * beside_the_steps * (asked++ == 0 ? 3 : 30) / 2};
  };
  std::atomic<int> ring{0};
  job.before_each = [&](const Schedule& schedule, int) { ring = schedule.options.parts_in_memory; };
  expect_same_bits(train_on_ranks(job), device, "one rank has no room for more");
  EXPECT_EQ(ring, 2);
}

TEST(Tiers, RefuseStepsThatLeaveNoRoomForACheckpoint) {
  const Scratch scratch;
  ToyJob job = job_of(Codec::bf16, "zero2", 2);
  job.placement.optimizer.tier = Tier::nvme;
  job.options.tiers = on(scratch, 3);
  job.options.work_beside_parts = [] { return ModelWork{}; };
  job.options.host_limits = [] { return offload::HostLimits{{}, {}, 2 * beside_the_steps}; };
  EXPECT_THAT([&] { train_on_ranks(job); }, ThrowsMessage<Error>(HasSubstr("for checkpoints")));
}

TEST(Tiers, StallsOnAnyLaneChangeNoBit) {
  const Scratch scratch;
  ToyJob job = job_of(Codec::bf16, "zero2", 2);
  job.placement.optimizer.tier = Tier::nvme;
  job.options.tiers = on(scratch);
  const ToyRun calm = train_on_ranks(job);
  std::atomic<std::uint32_t> state{1};
  job.before_each = [&state](const Schedule&, int) {
    const std::uint32_t drawn = state.fetch_add(0x9e3779b9u) * 0x85ebca6bu >> 16;
    if (drawn % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(drawn % 900));
  };
  expect_same_bits(train_on_ranks(job), calm, "stalled");
}

/// An overflow leaves every tier's state as it was: the step after it is the one that would have come anyway.
TEST(Tiers, AnOverflowChangesNothing) {
  const Scratch scratch;
  for (const Tier tier : {Tier::device, Tier::host, Tier::nvme}) {
    ToyJob job = job_of(Codec::fp32, "zero2", 2);
    job.placement.optimizer.tier = tier;
    job.options.tiers = on(scratch);
    comm::run_ranks(2, [&](comm::World& world) {
      Engine calm(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
      Engine hit(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
      calm.load(read_starting_values()), hit.load(read_starting_values());
      calm.train(toy_step(job, world.rank(), 1)), hit.train(toy_step(job, world.rank(), 1));
      StepInput bad = toy_step(job, world.rank(), 2);
      for (Context& context : bad.micro_batches)
        context.loss_weight = std::numeric_limits<double>::infinity();
      EXPECT_TRUE(hit.train(bad).overflow);
      const StepResult a = calm.train(toy_step(job, world.rank(), 2)),
                       b = hit.train(toy_step(job, world.rank(), 2));
      EXPECT_EQ(a.loss, b.loss) << name_of(tier);
      EXPECT_EQ(a.gradient_norm, b.gradient_norm);
      std::map<std::string, std::vector<float>> mine, theirs;
      collect(calm, mine), collect(hit, theirs);
      EXPECT_EQ(mine, theirs) << name_of(tier);
    });
  }
}

TEST(Tiers, EightBitStateToo) {
  const Scratch scratch;
  ToyJob job = job_of(Codec::bf16, "zero2", 2);
  std::map<std::string, std::vector<float>> results[3];
  for (const Tier tier : {Tier::device, Tier::host, Tier::nvme}) {
    job.placement.optimizer.tier = tier;
    job.options.tiers = on(scratch);
    job.options.tiers.part_elements = 256;
    std::mutex mutex;
    comm::run_ranks(2, [&](comm::World& world) {
      optim::AdamWSettings settings;
      Engine engine(toy_model(job.shape), job.placement, std::make_unique<optim::AdamW8>(settings), world,
                    job.options);
      engine.load(read_starting_values());
      for (int step = 1; step <= 4; ++step) engine.train(toy_step(job, world.rank(), step));
      const std::lock_guard lock(mutex);
      collect(engine, results[static_cast<int>(tier)]);
    });
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
  EXPECT_FALSE(results[0].empty());
}

TEST(Tiers, AreCounted) {
  const Scratch scratch;
  for (const Tier tier : {Tier::device, Tier::host, Tier::nvme}) {
    ToyJob job = job_of(Codec::bf16, "zero2", 1);
    job.placement.optimizer.tier = tier;
    job.options.tiers = on(scratch);
    std::size_t elements = 0;
    MemoryUse use;
    train_on_ranks(job, [&](Engine& engine, int) {
      use = engine.memory();
      for (const auto& layout : engine.blueprint().layouts)
        elements += static_cast<std::size_t>(layout.elements());
    });
    // Parameters in bf16 and gradients in fp32 stay; master and two moments move. Beside the parameters the
    // half of a master is enough that those are not.
    EXPECT_EQ(use.states, elements * (tier == Tier::device ? 16 : 6)) << name_of(tier);
    EXPECT_EQ(use.tiers.nvme >= elements * 12, tier == Tier::nvme);
    EXPECT_EQ(use.tiers.host_most >= elements * 12, tier == Tier::host);
    EXPECT_EQ(use.tiers.host > 0, tier != Tier::device);
  }
}

TEST(Tiers, ADriveWithoutRoomIsRefusedBeforeTheFirstStep) {
  ToyJob job = job_of(Codec::bf16, "zero2", 1);
  job.placement.optimizer.tier = Tier::nvme;
  try {
    train_on_ranks(job);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_THAT(error.what(), HasSubstr("no folder is named; set offload.nvme_paths"));
  }
}

TEST(Tiers, AFileThatIsCutShortEndsTheRunOnEveryRank) {
  const Scratch scratch;
  ToyJob job = job_of(Codec::bf16, "zero2", 2);
  job.placement.optimizer.tier = Tier::nvme;
  job.options.tiers = on(scratch);
  std::atomic<int> ended{0};
  comm::run_ranks(2, [&](comm::World& world) {
    Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
    engine.load(read_starting_values());
    engine.train(toy_step(job, world.rank(), 1));
    engine.control().barrier();
    if (world.rank() == 0)
      for (const auto& entry : std::filesystem::directory_iterator(job.options.tiers.nvme_paths.front()))
        std::filesystem::resize_file(entry.path(), 0);
    engine.control().barrier();
    try {
      engine.train(toy_step(job, world.rank(), 2));
    } catch (const Error& error) {
      ++ended;
      EXPECT_THAT(error.what(), HasSubstr("the file is shorter than it was made"));
    }
  });
  EXPECT_EQ(ended, 2);
}

}  // namespace
}  // namespace trireme::sharding::tests
