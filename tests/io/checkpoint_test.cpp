#include "io/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/checkpoint/blocks.h"
#include "tests/io/checkpoint_fixture.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using trireme::testing::made_tensors;
using trireme::testing::MadeTensor;
using trireme::testing::message_of;
using trireme::testing::save;
using trireme::testing::Scratch;

TEST(Blocks, CoverTheRunInOrder) {
  const std::vector<std::uint64_t> shape{4, 3, 5};
  for (std::uint64_t begin = 0; begin < 60; ++begin)
    for (std::uint64_t end = begin; end <= 60; ++end) {
      std::vector<std::uint64_t> seen;
      const auto blocks = blocks_of(shape, begin, end - begin);
      for (const Block& block : blocks) {
        ASSERT_EQ(block.first, seen.size());
        for (std::uint64_t i = 0; i < block.count[0]; ++i)
          for (std::uint64_t j = 0; j < block.count[1]; ++j)
            for (std::uint64_t k = 0; k < block.count[2]; ++k)
              seen.push_back(((block.start[0] + i) * 3 + block.start[1] + j) * 5 + block.start[2] + k);
        ASSERT_EQ(seen.size(), block.first + block.elements);
      }
      ASSERT_EQ(seen.size(), end - begin);
      for (std::uint64_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], begin + i);
      ASSERT_LE(blocks.size(), 5u);
    }
}

TEST(Checkpoint, AnyNumberOfRanksReadsWhatAnyNumberWrote) {
  for (const int writers : {1, 2, 3, 7}) {
    Scratch scratch;
    save(scratch.path(), "step-00000001", writers, 1);
    const Checkpoint checkpoint(scratch / "step-00000001");
    checkpoint.verify();
    EXPECT_EQ(checkpoint.state().at("step").as_int64(), 1);
    const auto tensors = made_tensors(1);
    EXPECT_EQ(checkpoint.tensors().size(), tensors.size());
    for (const MadeTensor& tensor : tensors) {
      EXPECT_EQ(checkpoint.tensors().at(tensor.name).shape, tensor.shape);
      for (const int readers : {1, 2, 5})
        for (int rank = 0; rank < readers; ++rank) {
          const TensorSlice wanted = tensor.slice(rank, readers);
          std::vector<std::byte> out(wanted.bytes.size());
          checkpoint.read(tensor.name, wanted.begin, out);
          ASSERT_TRUE(std::equal(out.begin(), out.end(), wanted.bytes.begin()))
              << tensor.name << rank << "/" << readers;
        }
    }
  }
}

TEST(Checkpoint, IsNotThereUntilCommitted) {
  Scratch scratch;
  const auto temporary = begin_save(scratch.path(), "step-00000001", 0);
  const MadeTensor tensor("w", DType::f32, {8}, 0);
  const ShardRecord record = write_shard(temporary / shard_name(0), {tensor.slice(0, 2)});
  EXPECT_TRUE(checkpoint_names(scratch.path()).empty());
  EXPECT_FALSE(newest_checkpoint(scratch.path()).checkpoint);
  // Half of the tensor is given by no rank.
  EXPECT_THAT(message_of(ExitCode::internal, [&] { commit_save(temporary, {record}, {}); }),
              HasSubstr("of w are given by no rank"));
  EXPECT_THAT(message_of(ExitCode::internal,
                         [&] {
                           commit_save(temporary, {record, record}, {});
                         }),
              HasSubstr("twice"));
  EXPECT_TRUE(checkpoint_names(scratch.path()).empty());
}

TEST(Checkpoint, PruningKeepsTheNewestAndClearsLeftovers) {
  Scratch scratch;
  for (unsigned step = 1; step <= 4; ++step)
    save(scratch.path(), "step-0000000" + std::to_string(step), 1, step);
  begin_save(scratch.path(), "step-00000009", 0);
  EXPECT_THAT(prune(scratch.path(), {.last = 2}), ElementsAre("step-00000001", "step-00000002"));
  remove_leftovers(scratch.path());
  EXPECT_THAT(checkpoint_names(scratch.path()), ElementsAre("step-00000003", "step-00000004"));
  EXPECT_FALSE(fs::exists(scratch / "step-00000009.tmp"));
  EXPECT_EQ(trireme::testing::read_file(scratch / "latest"), "step-00000004\n");
}

TEST(Checkpoint, RefusesToBeginWhereTheDiskIsTooFull) {
  Scratch scratch;
  EXPECT_THAT(message_of(ExitCode::requeue,
                         [&] { begin_save(scratch.path(), "step-00000001", std::uint64_t{1} << 60); }),
              HasSubstr("are free; the older checkpoints stay"));
}

}  // namespace
}  // namespace trireme::io
