#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/checkpoint/folder.h"
#include "io/checkpoint/retention.h"
#include "tests/io/checkpoint_fixture.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using trireme::testing::MadeTensor;
using trireme::testing::save_tensors;
using trireme::testing::Scratch;

TEST(CheckpointNames, TellStepEpochAndSamples) {
  const std::string name = checkpoint_name(12, 0.75, 768);
  EXPECT_EQ(name, "step-00000012-epoch-0.75-samples-768");
  EXPECT_EQ(step_of(name), 12);
  EXPECT_EQ(step_of("step-123456789"), 123456789);
  EXPECT_FALSE(step_of("steps"));
  EXPECT_FALSE(step_of("step-"));
}

TEST(CheckpointNames, AreListedByStepAndNeverWhileInTheMaking) {
  Scratch scratch;
  for (const char* name : {"step-00000009", "step-100000000-epoch-2.00-samples-5", "step-00000010.tmp",
                           "other", "step-00000008", "step-00000008.old"})
    fs::create_directory(scratch / name);
  trireme::testing::write_file(scratch / "step-00000007", "a file");
  EXPECT_THAT(checkpoint_names(scratch.path()),
              ElementsAre("step-00000008.old", "step-00000008", "step-00000009",
                          "step-100000000-epoch-2.00-samples-5"));
  EXPECT_THAT(temporary_names(scratch.path()), ElementsAre("step-00000010.tmp"));
  EXPECT_THAT(checkpoint_names(scratch / "missing"), IsEmpty());
}

TEST(Retention, KeepsTheLastTheEveryAndTheBest) {
  std::vector<KeptFacts> all;
  for (std::int64_t step = 1; step <= 6; ++step)
    all.push_back({fmt::format("s{}", step), step, step == 2 ? 0.5 : 1.0 + static_cast<double>(step)});
  EXPECT_THAT(surplus(all, {.last = 2}), ElementsAre("s1", "s2", "s3", "s4"));
  EXPECT_THAT(surplus(all, {.last = 1, .every = 3}), ElementsAre("s1", "s2", "s4", "s5"));
  EXPECT_THAT(surplus(all, {.last = 1, .every = 3, .best = true}), ElementsAre("s1", "s4", "s5"));
  EXPECT_THAT(surplus(all, {.last = 0}), ElementsAre("s1", "s2", "s3", "s4", "s5"));
  EXPECT_THAT(surplus(all, {.last = 9}), IsEmpty());
  all[1].loss.reset();
  EXPECT_THAT(surplus(all, {.last = 2, .best = true}), ElementsAre("s2", "s3", "s4"));
}

TEST(Retention, AnEvaluationCountsMoreThanTheLossOfTraining) {
  std::vector<KeptFacts> all;
  for (std::int64_t step = 1; step <= 6; ++step)
    all.push_back({fmt::format("s{}", step), step, 7.0 - static_cast<double>(step)});
  EXPECT_EQ(best_of(all), &all[5]);
  all[1].score = 0.2, all[1].measure = "songs/loss";
  all[3].score = 0.2, all[3].measure = "songs/loss";
  all[4].score = 0.3, all[4].measure = "songs/loss";
  EXPECT_EQ(best_of(all), &all[1]);
  EXPECT_THAT(surplus(all, {.last = 1, .best = true}), ElementsAre("s1", "s3", "s4", "s5"));
  // A run that goes on by another measure compares what has it.
  all[5].score = -0.5, all[5].measure = "songs/rouge_l";
  EXPECT_EQ(best_of(all), &all[5]);
  EXPECT_EQ(best_of({}), nullptr);
}

TEST(Retention, AnotherNameOfTheSameStepGivesWay) {
  Scratch scratch;
  const std::vector<MadeTensor> tensors{{"w", DType::f32, {8}, 0}};
  save_tensors(scratch.path(), checkpoint_name(4, 0.25, 16), 1, 1, tensors);
  save_tensors(scratch.path(), checkpoint_name(4, 0.50, 32), 1, 2, tensors);
  EXPECT_THAT(checkpoint_names(scratch.path()), ElementsAre("step-00000004-epoch-0.50-samples-32"));
  EXPECT_EQ(newest_checkpoint(scratch.path()).checkpoint->state().at("step").as_int64(), 2);
}

TEST(Checkpoint, TheSameSlicesGiveTheSameFiles) {
  Scratch scratch;
  const std::vector<MadeTensor> tensors{{"model/a.b/w", DType::f32, {80000}, 0},
                                        {"x", DType::bf16, {3, 5}, 1}};
  save_tensors(scratch.path(), "step-00000001", 2, 1, tensors);
  // HDF5 keeps times in seconds where it keeps them.
  usleep(1100000);
  save_tensors(scratch.path(), "step-00000002", 2, 1, tensors);
  for (const char* file : {"shard-00000.h5", "shard-00001.h5", "checkpoint.h5", "manifest.json"})
    EXPECT_TRUE(trireme::testing::read_file(scratch / "step-00000001" / file) ==
                trireme::testing::read_file(scratch / "step-00000002" / file))
        << file;
}

}  // namespace
}  // namespace trireme::io
