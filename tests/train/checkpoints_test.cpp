#include "train/checkpoints.h"

#include <atomic>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/difference.h"
#include "io/file.h"
#include "sharding/presets.h"
#include "tests/io/scratch.h"
#include "tests/sharding/toy_training.h"
#include "train/saved_state.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;
using sharding::Codec;
using sharding::Engine;
using sharding::tests::ToyJob;
using trireme::testing::Scratch;

constexpr int steps_before = 3, steps_in_all = 5;

ToyJob job_of(const char* placement, int ranks) {
  ToyJob job;
  job.placement = sharding::preset(placement, Codec::fp32);
  job.ranks = ranks;
  job.node_of_rank.assign(static_cast<std::size_t>(ranks), 0);
  if (ranks == 4) job.node_of_rank = {0, 0, 1, 1};
  return job;
}

ToyJob job_with(ToyJob job, const char* placement) {
  job.placement = sharding::preset(placement, Codec::fp32);
  return job;
}

struct Curve {
  std::vector<double> losses;  ///< of the steps that were taken
  std::uint64_t bytes_read = 0;
};

/// Trains on threads from step `from` on, where 0 is the beginning and all else a checkpoint; saves after
/// `until`.
Curve run(const ToyJob& job, const fs::path& folder, int from, int until, bool save, bool asynchronous = true,
          int most_files = 128) {
  Curve curve;
  std::atomic<std::uint64_t> read{0};
  comm::run_ranks(
      job.ranks,
      [&](comm::World& world) {
        Engine engine(sharding::tests::toy_model(job.shape), job.placement,
                      sharding::tests::toy_optimizer(job.settings), world, job.options);
        CheckpointSettings settings;
        settings.asynchronous = asynchronous, settings.most_files = most_files;
        Checkpoints checkpoints(folder, engine, settings);
        engine.load(sharding::tests::read_starting_values());
        int step = 0;
        if (from > 0) {
          const auto state = checkpoints.load();
          if (!state) throw std::runtime_error("nothing to go on from");
          EXPECT_EQ(state->step, from);
          step = static_cast<int>(state->step);
          read += checkpoints.bytes_read();
        }
        const auto take_step = [&] {
          ++step;
          const double loss = engine.train(toy_step(job, world.rank(), step)).loss;
          if (world.rank() == 0) curve.losses.push_back(loss);
        };
        while (step < until) take_step();
        if (!save) return;
        TrainerState state;
        state.step = state.updates = step, state.rows_per_step = job.settings.rows;
        checkpoints.save(state, {1.0, step * job.settings.rows, 0.5});
        // What training does meanwhile must not reach the checkpoint.
        take_step();
        checkpoints.advance();
        take_step();
        checkpoints.finish();
        EXPECT_EQ(checkpoints.failures(), 0);
        EXPECT_EQ(checkpoints.saved_step(), until);
      },
      job.node_of_rank);
  curve.bytes_read = read;
  return curve;
}

/// On two nodes hsdp sums inside each first; all else sums over the ranks one after the other.
bool sums_by_node(const char* placement, int ranks) {
  return placement == std::string("hsdp") && ranks == 4;
}

/// Every placement on every number of ranks goes on from every other's checkpoint.
TEST(Checkpoints, ResumeAtAnyWorldSizeUnderAnyPlacement) {
  const std::vector<const char*> placements{"ddp", "zero2", "zero3", "hsdp"};
  const Curve whole = run(job_of("ddp", 1), {}, 0, steps_in_all, false);
  int pairs = 0;
  for (const char* saved_as : placements)
    for (int savers = 1; savers <= 4; ++savers) {
      Scratch scratch;
      const Curve first = run(job_of(saved_as, savers), scratch.path(), 0, steps_before, true);
      for (const char* loaded_as : placements)
        for (int loaders = 1; loaders <= 4; ++loaders) {
          const Curve second =
              run(job_of(loaded_as, loaders), scratch.path(), steps_before, steps_in_all, false);
          const std::string what = fmt::format("{} on {} to {} on {}", saved_as, savers, loaded_as, loaders);
          ASSERT_EQ(second.losses.size(), 2u) << what;
          const bool same =
              savers == loaders && sums_by_node(saved_as, savers) == sums_by_node(loaded_as, loaders);
          for (std::size_t i = 0; i < second.losses.size(); ++i) {
            EXPECT_NEAR(second.losses[i] / whole.losses[steps_before + i], 1.0, 1e-5) << what;
            // The run that saved went on by itself.
            if (same) {
              EXPECT_EQ(second.losses[i], first.losses[steps_before + i]) << what;
            }
          }
          ++pairs;
        }
    }
  EXPECT_EQ(pairs, 256);
}

/// What is put into the engine is what was saved, to the bit, whoever saved it and whoever loads it: saved
/// again before a step, it has the same digests.
TEST(Checkpoints, StatePassesThroughAnyPlacementAndWorldSizeUnchanged) {
  const std::vector<const char*> placements{"ddp", "zero1", "zero3", "hsdp"};
  for (const char* saved_as : placements)
    for (const int savers : {3, 4}) {
      Scratch scratch;
      run(job_of(saved_as, savers), scratch.path(), 0, steps_before, true);
      const io::Checkpoint saved(scratch / io::checkpoint_names(scratch.path()).at(0));
      for (const char* loaded_as : placements)
        for (const int loaders : {1, 4}) {
          Scratch again;
          const ToyJob job = job_of(loaded_as, loaders);
          comm::run_ranks(
              job.ranks,
              [&](comm::World& world) {
                Engine engine(sharding::tests::toy_model(job.shape), job.placement,
                              sharding::tests::toy_optimizer(job.settings), world, job.options);
                const auto state = Checkpoints(scratch.path(), engine, {}).load();
                ASSERT_TRUE(state);
                Checkpoints into(again.path(), engine, {});
                into.save(*state, {1.0, steps_before, 0.5});
                into.finish();
              },
              job.node_of_rank);
          const io::Checkpoint resaved(again / io::checkpoint_names(again.path()).at(0));
          EXPECT_EQ(resaved.tensors().size(), saved.tensors().size());
          EXPECT_TRUE(io::compare(saved, resaved).differences.empty())
              << fmt::format("{} on {} to {} on {}", saved_as, savers, loaded_as, loaders);
        }
    }
}

/// zero3 on four ranks to hsdp: on one node all sums have the order that they had, and so all bits are the
/// same; on two they are taken in another order, and runs that nothing interrupts may differ as much.
TEST(Checkpoints, OnlyAnotherOrderOfSumsChangesBits) {
  constexpr double rounding = 1e-6;
  for (const bool two_nodes : {false, true}) {
    const auto job = [&](const char* placement) {
      ToyJob made = job_of(placement, 4);
      if (!two_nodes) made.node_of_rank = {0, 0, 0, 0};
      return made;
    };
    Scratch scratch;
    const Curve zero3 = run(job("zero3"), scratch.path(), 0, steps_before, true);
    const Curve resumed = run(job("hsdp"), scratch.path(), steps_before, steps_in_all, false);
    const Curve hsdp = run(job("hsdp"), {}, 0, steps_in_all, false);
    ASSERT_EQ(hsdp.losses.size(), zero3.losses.size());
    // The first loss after a resume is of parameters that no sum has changed yet.
    EXPECT_EQ(resumed.losses.front(), zero3.losses[steps_before]);
    if (!two_nodes) {
      EXPECT_EQ(hsdp.losses, zero3.losses);
      EXPECT_EQ(resumed.losses.back(), zero3.losses.back());
      continue;
    }
    for (std::size_t i = 0; i < hsdp.losses.size(); ++i)
      EXPECT_NEAR(hsdp.losses[i] / zero3.losses[i], 1.0, rounding);
    EXPECT_NEAR(resumed.losses.back() / zero3.losses.back(), 1.0, rounding);
  }
}

TEST(Checkpoints, AsynchronousOnesHaveTheBytesOfSynchronousOnes) {
  for (const char* placement : {"ddp", "zero3", "hsdp"}) {
    Scratch one, other;
    const ToyJob job = job_of(placement, 4);
    run(job, one.path(), 0, steps_before, true, true);
    run(job, other.path(), 0, steps_before, true, false);
    const std::string name = io::checkpoint_names(one.path()).at(0);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(one / name)) {
      const std::string file = entry.path().filename();
      EXPECT_TRUE(trireme::testing::read_file(one / name / file) ==
                  trireme::testing::read_file(other / name / file))
          << placement << " " << file;
      ++files;
    }
    EXPECT_EQ(files, 7u);
    io::Checkpoint(one / name).verify();
  }
}

/// Masters are split beside bf16 parameters on the device, and whole where the optimizer's state is on the
/// host: files are the same, and each goes on from the other's as if it had been its own.
TEST(Checkpoints, MastersAreSavedAndLoadedAlikeWholeOrSplit) {
  for (const char* placement : {"ddp", "zero1", "zero3"})
    for (const int ranks : {1, 2, 3}) {
      ToyJob split = job_of(placement, ranks);
      split.placement = sharding::preset(placement, Codec::bf16);
      // Slices of several blocks, with odd ends.
      split.shape.vocabulary = 4001, split.shape.width = 190;
      ToyJob whole = split;
      whole.placement.optimizer.tier = sharding::Tier::host;
      Scratch from_split, from_whole;
      const Curve uninterrupted = run(split, from_split.path(), 0, 1, true, ranks != 2);
      EXPECT_EQ(run(whole, from_whole.path(), 0, 1, true, ranks != 2).losses, uninterrupted.losses);
      const std::string name = io::checkpoint_names(from_split.path()).at(0);
      const io::Checkpoint one(from_split / name), other(from_whole / name);
      one.verify(), other.verify();
      EXPECT_TRUE(io::compare(one, other).differences.empty()) << placement << ranks;
      const std::vector<double> after(uninterrupted.losses.begin() + 1, uninterrupted.losses.end());
      EXPECT_EQ(run(split, from_whole.path(), 1, 3, false).losses, after) << placement << ranks;
      EXPECT_EQ(run(whole, from_split.path(), 1, 3, false).losses, after) << placement << ranks;
    }
}

TEST(Checkpoints, EachByteIsWrittenAndReadByOneRank) {
  for (const char* placement : {"ddp", "zero3", "hsdp"})
    for (const int loaders : {1, 3, 4}) {
      Scratch scratch;
      ToyJob job = job_of(placement, 4);
      job.shape.vocabulary = 4000, job.shape.width = 192;
      run(job, scratch.path(), 0, 1, true);
      const io::Checkpoint checkpoint(scratch / io::checkpoint_names(scratch.path()).at(0));
      std::uint64_t bytes = 0;
      for (const auto& [name, tensor] : checkpoint.tensors())
        bytes += io::elements_of(tensor.shape) * size_of(tensor.dtype);
      std::uint64_t written = 0;
      for (const io::ShardRecord& shard : checkpoint.manifest().shards) {
        std::uint64_t own = 0;
        for (const io::StoredSlice& slice : shard.slices) own += slice.bytes();
        EXPECT_NEAR(static_cast<double>(own) / static_cast<double>(bytes), 0.25, 0.02) << placement;
        written += own;
      }
      EXPECT_EQ(written, bytes);
      job.ranks = loaders, job.node_of_rank.assign(static_cast<std::size_t>(loaders), 0);
      const Curve resumed = run(job, scratch.path(), 1, 1, false);
      // A cut that is not the writer's costs its digest chunk of 1 MiB twice, and slices here are of 1 to 3
      // MiB.
      const bool cut_alike = loaders == 4 && placement != std::string("hsdp");
      EXPECT_LE(static_cast<double>(resumed.bytes_read),
                (cut_alike ? 1.03 : 1.75) * static_cast<double>(bytes))
          << placement << loaders;
    }
}

/// More ranks than files: neighbours write to one file, and any reader sees the same as with a file each.
TEST(Checkpoints, FilesAreSharedWhereThereAreMoreRanksThanFiles) {
  for (const char* placement : {"ddp", "zero3", "hsdp"})
    for (const int most_files : {1, 2, 3})
      for (const bool asynchronous : {true, false}) {
        Scratch own, shared;
        ToyJob job = job_of(placement, 4);
        // Slices of more than a block, of less than a page, and odd ends.
        job.shape.vocabulary = 4001, job.shape.width = 190;
        run(job, own.path(), 0, 1, true, asynchronous);
        run(job, shared.path(), 0, 1, true, asynchronous, most_files);
        const io::Checkpoint with_own(own / io::checkpoint_names(own.path()).at(0));
        const io::Checkpoint with_shared(shared / io::checkpoint_names(shared.path()).at(0));
        with_shared.verify();
        EXPECT_EQ(with_shared.manifest().shards.size(),
                  static_cast<std::size_t>(most_files == 3 ? 2 : most_files));
        EXPECT_TRUE(io::compare(with_own, with_shared).differences.empty());
        for (const char* loaded_as : {"zero3", "ddp"})
          EXPECT_EQ(run(job_with(job, loaded_as), shared.path(), 1, 2, false).losses,
                    run(job_with(job, loaded_as), own.path(), 1, 2, false).losses);
      }
}

/// Ranks that hold the same deal the reading out among themselves.
TEST(Load, EachValueIsReadByOneRank) {
  for (const char* placement : {"ddp", "zero1", "zero3", "hsdp"})
    for (const bool frozen : {false, true}) {
      ToyJob job = job_of(placement, 4);
      job.shape.frozen_blocks = frozen;
      std::atomic<std::int64_t> read{0}, whole{0}, frozen_values{0};
      comm::run_ranks(
          4,
          [&](comm::World& world) {
            Engine engine(sharding::tests::toy_model(job.shape), job.placement,
                          sharding::tests::toy_optimizer(job.settings), world, job.options);
            const auto values = sharding::tests::read_starting_values();
            engine.load([&](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
              read += static_cast<std::int64_t>(into.size());
              values(parameter, begin, into);
            });
            if (world.rank() != 0) return;
            for (const sharding::ParamGroup& group : engine.model().groups)
              for (const sharding::Parameter& parameter : group.parameters) {
                whole += sharding::element_count(parameter);
                if (!group.trainable) frozen_values += sharding::element_count(parameter);
              }
          },
          job.node_of_rank);
      // Where each of two nodes splits what is frozen, each reads it once.
      const std::int64_t again = placement == std::string("hsdp") ? frozen_values.load() : 0;
      EXPECT_EQ(read, whole + again) << placement << frozen;
    }
}

TEST(Load, AFailureOnOneRankReachesAll) {
  for (const char* placement : {"ddp", "zero3"}) {
    const ToyJob job = job_of(placement, 3);
    std::atomic<int> told{0};
    comm::run_ranks(3, [&](comm::World& world) {
      Engine engine(sharding::tests::toy_model(job.shape), job.placement,
                    sharding::tests::toy_optimizer(job.settings), world, job.options);
      try {
        engine.load([&](const sharding::Parameter&, std::int64_t, std::span<float>) {
          if (world.rank() == 1) fail(ExitCode::damaged, "a file is damaged");
        });
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::damaged);
        EXPECT_THAT(error.what(), ::testing::HasSubstr("a file is damaged"));
        ++told;
      }
    });
    EXPECT_EQ(told, 3);
  }
}

TEST(Checkpoints, SharesCoverEverySliceOnce) {
  const sharding::Parameter parameter{"w", {100000}};
  std::vector<sharding::StateSlice> slices;
  std::vector<std::byte> data(4 * 100000);
  for (const std::int64_t count : {5, 70000, 1, 9000, 33}) {
    sharding::StateSlice slice;
    slice.parameter = &parameter, slice.begin = 7, slice.count = count, slice.data = data.data();
    slices.push_back(slice);
  }
  for (int replicas = 1; replicas <= 9; ++replicas) {
    const auto shares = shares_of(slices, replicas);
    ASSERT_EQ(shares.size(), static_cast<std::size_t>(replicas));
    std::size_t slice = 0;
    std::int64_t at = 0;
    for (const auto& share : shares)
      for (const sharding::StateSlice& part : share) {
        EXPECT_EQ(part.begin, slices[slice].begin + at);
        EXPECT_EQ(part.data, slices[slice].data + at * 4);
        at += part.count;
        ASSERT_LE(at, slices[slice].count);
        if (at == slices[slice].count) ++slice, at = 0;
      }
    EXPECT_EQ(slice, slices.size());
  }
}

TEST(Checkpoints, AFailedSaveIsCountedAndTheNextOneSucceeds) {
  Scratch scratch;
  const ToyJob job = job_of("zero3", 2);
  const fs::path blocked = scratch / "away";
  fs::create_symlink(scratch / "disk", blocked);
  comm::run_ranks(2, [&](comm::World& world) {
    Engine engine(sharding::tests::toy_model(job.shape), job.placement,
                  sharding::tests::toy_optimizer(job.settings), world, job.options);
    engine.load(sharding::tests::read_starting_values());
    Checkpoints checkpoints(blocked, engine, {});
    TrainerState state;
    state.step = 1;
    checkpoints.save(state, {});
    checkpoints.finish();
    EXPECT_EQ(checkpoints.failures(), 1);
    EXPECT_EQ(checkpoints.saved_step(), -1);
    ASSERT_TRUE(checkpoints.last_failure());
    EXPECT_EQ(checkpoints.last_failure()->code(), ExitCode::requeue);
    engine.control().barrier();
    if (world.rank() == 0) fs::create_directory(scratch / "disk");
    engine.control().barrier();
    state.step = 2;
    checkpoints.save(state, {});
    checkpoints.finish();
    EXPECT_EQ(checkpoints.failures(), 1);
    EXPECT_EQ(checkpoints.saved_step(), 2);
  });
  EXPECT_EQ(io::checkpoint_names(blocked).size(), 1u);
}

}  // namespace
}  // namespace trireme::train
