#include <atomic>
#include <filesystem>
#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "sharding/presets.h"
#include "tests/offload/scratch.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

using offload::tests::Scratch;
using testing::HasSubstr;

/// Parts of 64 elements, so that every group of the toy has several and some are not whole sectors.
TierOptions on(const Scratch& scratch, int drives) {
  TierOptions options;
  for (int i = 0; i < drives; ++i) options.nvme_paths.push_back(scratch.make(std::to_string(i)));
  options.part_elements = 64;
  options.update_cores = {0, 0};
  return options;
}

ToyJob job_of(const Placement& placement, int ranks) {
  ToyJob job;
  job.placement = placement;
  job.ranks = ranks;
  if (ranks == 4) job.node_of_rank = {0, 0, 1, 1};
  job.micro_batches = 2;
  job.settings.steps = 3;
  return job;
}

/// Slices of the optimizer that are wider than those of the parameters.
Placement wide(Codec codec) {
  Placement placement = preset("zero3", codec);
  placement.name = "wide";
  placement.gradients.span = placement.optimizer.span = Span::node();
  return placement;
}

void expect_same_from_drive(ToyJob job, const Scratch& scratch, const std::string& what) {
  const ToyRun memory = train_on_ranks(job);
  job.placement.parameters.tier = Tier::nvme;
  for (const Tier tier : {Tier::device, Tier::host, Tier::nvme}) {
    job.placement.optimizer.tier = tier;
    job.options.tiers = on(scratch, job.ranks);
    expect_same_bits(train_on_ranks(job), memory,
                     fmt::format("{}, optimizer on {}, {} ranks: ", what, name_of(tier), job.ranks));
  }
}

TEST(DriveParameters, TrainToTheBitsOfThoseInMemory) {
  const Scratch scratch;
  for (const Codec codec : {Codec::fp32, Codec::bf16}) {
    std::vector<Placement> placements{wide(codec)};
    for (const char* name : {"ddp", "zero1", "zero2", "zero3", "hpz", "fsdp_grad_op", "qwz"})
      placements.push_back(preset(name, codec));
    for (const Placement& placement : placements)
      for (const int ranks : {1, 2, 4}) {
        ToyJob job = job_of(placement, ranks);
        if (ranks == 2) job.settings.max_norm = 0.5;
        job.shape.tied = ranks == 4;
        job.shape.frozen_blocks = ranks == 1;
        job.options.prefetch_depth = ranks - 1;
        expect_same_from_drive(job, scratch, fmt::format("{} {}", placement.name, name_of(codec)));
      }
  }
}

TEST(DriveParameters, MayBeUpdatedDuringBackward) {
  const Scratch scratch;
  for (const char* name : {"zero1", "zero3", "ddp", "hpz"})
    for (const int ranks : {1, 4})
      for (const bool vanish : {false, true}) {
        ToyJob job = job_of(preset(name, vanish ? Codec::bf16 : Codec::fp32), ranks);
        job.shape.tied = ranks == 4;
        job.options.unit_major = vanish;
        job.options.update_when_reduced = true, job.options.keeps_gradients = !vanish;
        expect_same_from_drive(job, scratch, fmt::format("{}{}", name, vanish ? ", vanishing" : ""));
      }
}

TEST(DriveParameters, StallsOnAnyLaneChangeNoBit) {
  const Scratch scratch;
  for (const char* name : {"ddp", "zero2", "zero3"}) {
    ToyJob job = job_of(preset(name, Codec::bf16), 2);
    job.placement.parameters.tier = job.placement.optimizer.tier = Tier::nvme;
    job.options.tiers = on(scratch, 1);
    job.options.update_when_reduced = true;
    const ToyRun calm = train_on_ranks(job);
    std::atomic<std::uint32_t> state{1};
    job.before_each = [&state](const Schedule&, int) {
      const std::uint32_t drawn = state.fetch_add(0x9e3779b9u) * 0x85ebca6bu >> 16;
      if (drawn % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(drawn % 900));
    };
    expect_same_bits(train_on_ranks(job), calm, name);
  }
}

/// Evaluations, overflows and steps take turns: each reads what the last update left on the drive.
TEST(DriveParameters, AreReadAsTheLastUpdateLeftThem) {
  const Scratch scratch;
  for (const char* name : {"ddp", "zero1", "zero3"})
    for (const Codec codec : {Codec::fp32, Codec::bf16}) {
      std::vector<double> seen[2];
      for (const Tier tier : {Tier::device, Tier::nvme}) {
        ToyJob job = job_of(preset(name, codec), 2);
        job.placement.parameters.tier = job.placement.optimizer.tier = tier;
        job.options.tiers = on(scratch, 2);
        comm::run_ranks(job.ranks, [&](comm::World& world) {
          Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
          engine.load(read_starting_values());
          for (int step = 1; step <= 3; ++step) {
            StepInput input = toy_step(job, world.rank(), step);
            const double before = engine.evaluate(input.micro_batches);
            const double loss = engine.train(input).loss;
            for (Context& context : input.micro_batches)
              context.loss_weight = std::numeric_limits<double>::infinity();
            EXPECT_TRUE(engine.train(input).overflow);
            if (world.rank() == 0)
              seen[tier == Tier::nvme].insert(seen[tier == Tier::nvme].end(), {before, loss});
          }
        });
      }
      EXPECT_EQ(seen[0], seen[1]) << name << " " << name_of(codec);
      EXPECT_EQ(seen[0].size(), 6u);
    }
}

/// Groups of many whole parts: everything goes around the page cache, as often as the schedule says.
TEST(DriveParameters, MoveTheBytesThatTheScheduleNames) {
  const Scratch scratch;
  for (const char* name : {"ddp", "zero3", "zero1"})
    for (const Codec codec : {Codec::fp32, Codec::bf16}) {
      ToyJob job = job_of(preset(name, codec), 2);
      job.shape.width = 64, job.shape.inner = 128;
      job.placement.parameters.tier = job.placement.optimizer.tier = Tier::nvme;
      job.options.tiers = on(scratch, 1);
      job.options.tiers.part_elements = 4096;
      comm::run_ranks(job.ranks, [&](comm::World& world) {
        Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
        engine.load(read_starting_values());
        const auto before = engine.pipe()->engine().counters();
        engine.train(toy_step(job, world.rank(), 1));
        const auto after = engine.pipe()->engine().counters();
        const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
        double reads = 0, writes = 0, ops = 0;
        for (const Op& op : step.ops) {
          const bool in = op.kind == OpKind::load || op.kind == OpKind::fetch;
          if (op.lane == OpLane::nvme) (in ? reads : writes) += static_cast<double>(op.bytes), ++ops;
        }
        // Each array of a part may be rounded up by less than a sector.
        const double rounding = 4 * 4096 * ops;
        EXPECT_GE(static_cast<double>(after.bytes_read - before.bytes_read), 0.999 * reads) << name;
        EXPECT_LE(static_cast<double>(after.bytes_read - before.bytes_read), reads + rounding) << name;
        EXPECT_GE(static_cast<double>(after.bytes_written - before.bytes_written), 0.999 * writes) << name;
        EXPECT_LE(static_cast<double>(after.bytes_written - before.bytes_written), writes + rounding) << name;
        EXPECT_EQ(after.plain, before.plain) << name;
        EXPECT_GT(reads, 0);
      });
    }
}

TEST(DriveParameters, AFileThatIsCutShortEndsTheRunOnEveryRank) {
  const Scratch scratch;
  for (const char* name : {"ddp", "zero3"}) {
    ToyJob job = job_of(preset(name, Codec::bf16), 2);
    job.placement.parameters.tier = Tier::nvme;
    job.options.tiers = on(scratch, 1);
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
    EXPECT_EQ(ended, 2) << name;
  }
}

}  // namespace
}  // namespace trireme::sharding::tests
