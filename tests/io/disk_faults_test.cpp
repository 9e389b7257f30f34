#include "tests/io/disk_faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/io/checkpoint_fixture.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using trireme::testing::MadeTensor;
using trireme::testing::Scratch;

std::vector<MadeTensor> small_tensors(unsigned seed) {
  std::vector<MadeTensor> tensors;
  tensors.emplace_back("model/weight", DType::f32, std::vector<std::int64_t>{300, 11}, seed);
  tensors.emplace_back("model/large", DType::bf16, std::vector<std::int64_t>{3, 900001}, seed);
  return tensors;
}

void save_small(const fs::path& checkpoints, const std::string& name, unsigned seed) {
  trireme::testing::save_tensors(checkpoints, name, 2, seed, small_tensors(seed));
}

/// Sound, and made from this seed.
void expect_sound(const fs::path& folder, unsigned seed) {
  const Checkpoint checkpoint(folder);
  checkpoint.verify();
  EXPECT_EQ(checkpoint.state().at("step").as_int64(), seed);
  for (const MadeTensor& tensor : small_tensors(seed)) {
    std::vector<std::byte> out(tensor.bytes.size());
    checkpoint.read(tensor.name, 0, out);
    EXPECT_EQ(out, tensor.bytes) << tensor.name;
  }
}

class DiskFaults : public ::testing::Test {
 protected:
  void SetUp() override { save_small(scratch.path(), "step-00000001", 1); }
  void TearDown() override {
    disarm();
    disk_faults_allow_swaps(true);
  }
  void arm(DiskFault fault, long at) { disk_faults_arm(scratch.path().c_str(), fault, at); }
  static void disarm() { disk_faults_arm("", DiskFault::none, 0); }
  /// The error of a save of step 2 whose `at`-th call is met by the fault; none: it went well.
  std::optional<Error> failure_of_save(DiskFault fault, long at) {
    std::optional<Error> failure;
    arm(fault, at);
    try {
      save_small(scratch.path(), "step-00000002", 2);
    } catch (const Error& error) {
      failure = error;
    }
    calls = disk_faults_calls();
    disarm();
    return failure;
  }
  void expect_the_older_one_unharmed() {
    expect_sound(scratch / "step-00000001", 1);
    const Found found = newest_checkpoint(scratch.path());
    ASSERT_TRUE(found.checkpoint);
    EXPECT_TRUE(found.refused.empty());
    expect_sound(found.checkpoint->folder(),
                 found.checkpoint->folder().filename() == "step-00000001" ? 1 : 2);
  }
  void expect_refused_at_each_call(DiskFault fault) {
    long failed = 0;
    for (long at = 1;; ++at) {
      const auto failure = failure_of_save(fault, at);
      if (calls < at) break;
      failed += failure ? 1 : 0;
      if (failure) {
        EXPECT_TRUE(failure->code() == ExitCode::requeue || failure->code() == ExitCode::damaged)
            << failure->what();
        EXPECT_THAT(failure->what(), Not(HasSubstr("\n")));
        EXPECT_THAT(failure->what(), HasSubstr(scratch.path().string()));
      }
      expect_the_older_one_unharmed();
      // The disk is well again: so are saves.
      EXPECT_FALSE(failure_of_save(DiskFault::none, 0));
      expect_sound(scratch / "step-00000002", 2);
      fs::remove_all(scratch / "step-00000002");
    }
    EXPECT_GE(failed, 15);
  }
  /// Saves again and again in a process that dies at its first, second, … call.
  void kill_at_each_call(const std::function<void()>& save, const std::function<void()>& expect) {
    for (long at = 1;; ++at) {
      const pid_t child = fork();
      if (child == 0) {
        arm(DiskFault::kill, at);
        save();
        _exit(0);
      }
      int status = 0;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      expect();
      if (!WIFSIGNALED(status)) {
        EXPECT_GE(at, 15);
        return;
      }
      EXPECT_EQ(WTERMSIG(status), SIGKILL);
    }
  }
  Scratch scratch;
  long calls = 0;
};

TEST_F(DiskFaults, AFullDiskAtAnyCallHarmsNoOlderCheckpoint) {
  expect_refused_at_each_call(DiskFault::no_space);
}

TEST_F(DiskFaults, AnErrorOfTheDiskAtAnyCallHarmsNoOlderCheckpoint) {
  expect_refused_at_each_call(DiskFault::io_error);
}

TEST_F(DiskFaults, ShortWritesAreGoneOnWith) {
  for (long at = 1;; ++at) {
    const auto failure = failure_of_save(DiskFault::short_write, at);
    EXPECT_FALSE(failure) << failure->what();
    if (calls < at) break;
    expect_sound(scratch / "step-00000002", 2);
  }
}

TEST_F(DiskFaults, WhatTheDiskKeptDifferentlyIsNeverCommitted) {
  for (const DiskFault fault : {DiskFault::lost_write, DiskFault::flipped_bit}) {
    long found = 0;
    for (long at = 1;; ++at) {
      const auto failure = failure_of_save(fault, at);
      if (calls < at) break;
      if (failure) ++found;
      expect_the_older_one_unharmed();
      fs::remove_all(scratch / "step-00000002");
    }
    EXPECT_GT(found, 3);
  }
}

TEST_F(DiskFaults, KilledAtAnyCallLeavesASoundCheckpoint) {
  kill_at_each_call([&] { save_small(scratch.path(), "step-00000002", 2); },
                    [&] { expect_the_older_one_unharmed(); });
  EXPECT_TRUE(fs::exists(scratch / "step-00000002"));
}

TEST_F(DiskFaults, SavingAStepAgainAlwaysLeavesOneOfTheTwo) {
  for (const bool swaps : {true, false}) {
    disk_faults_allow_swaps(swaps);
    fs::remove_all(scratch / "step-00000002");
    save_small(scratch.path(), "step-00000002", 2);
    kill_at_each_call([&] { save_small(scratch.path(), "step-00000002", 3); },
                      [&] {
                        const Found found = newest_checkpoint(scratch.path());
                        ASSERT_TRUE(found.checkpoint);
                        EXPECT_TRUE(found.refused.empty());
                        const auto seed = found.checkpoint->state().at("step").as_int64();
                        ASSERT_TRUE(seed == 2 || seed == 3);
                        expect_sound(found.checkpoint->folder(), static_cast<unsigned>(seed));
                      });
    EXPECT_EQ(Checkpoint(scratch / "step-00000002").state().at("step").as_int64(), 3);
    EXPECT_EQ(checkpoint_names(scratch.path()).size(), 2u);
  }
}

}  // namespace
}  // namespace trireme::io
