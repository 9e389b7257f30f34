#include <cstdio>
#include <numeric>

#include <gtest/gtest.h>

#include "comm/codec/two_hop_reduce_scatter.h"
#include "comm/mpi/mpi_world.h"
#include "comm/two_level/layout.h"
#include "tests/mpi_main.h"
#include "tests/net/link_counter.h"

namespace trireme::comm {
namespace {

constexpr std::size_t total = 6u << 20;

class TwoLevelNet : public testing::Test {
 protected:
  TwoLevelNet() : world_(tests::mpi_runtime()) {
    everyone_.ranks.resize(static_cast<std::size_t>(world_.size()));
    std::iota(everyone_.ranks.begin(), everyone_.ranks.end(), 0);
    communicator_ = world_.communicator(everyone_, "two_level", {});
    layout_ = std::make_unique<NodeLayout>(everyone_, world_.node_of_rank());
  }

  /// Payload bytes that all hosts together put on their links during `call`, as their interfaces count them.
  template <typename F>
  double sent_over_links(const F& call) {
    communicator_->barrier();
    const tests::LinkCounter before = tests::LinkCounter::read();
    MPI_Barrier(MPI_COMM_WORLD);
    call();
    MPI_Barrier(MPI_COMM_WORLD);
    const std::uint64_t mine = tests::LinkCounter::read().payload() - before.payload();
    const bool counts = layout_->local_of(world_.rank()) == 0;
    std::uint64_t part = counts ? mine : 0, all = 0;
    MPI_Allreduce(&part, &all, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    return static_cast<double>(all);
  }

  double nodes() const { return layout_->nodes(); }

  MpiWorld world_;
  Group everyone_;
  std::unique_ptr<Communicator> communicator_;
  std::unique_ptr<NodeLayout> layout_;
};

float value_of(int rank, std::size_t i) {
  return static_cast<float>((i * 7 + static_cast<std::size_t>(rank)) % 13);
}

float sum_of(int ranks, std::size_t i) {
  float sum = 0;
  for (int rank = 0; rank < ranks; ++rank) sum += value_of(rank, i);
  return sum;
}

std::size_t first_wrong(const float* data, std::size_t count, std::size_t offset, int ranks) {
  for (std::size_t i = 0; i < count; ++i)
    if (data[i] != sum_of(ranks, offset + i)) return i;
  return count;
}

TEST_F(TwoLevelNet, TheHostsAreNodes) {
  EXPECT_GT(layout_->nodes(), 1);
}

TEST_F(TwoLevelNet, AllReduceCrossesOnceEachWay) {
  Buffer data = communicator_->allocate(total * sizeof(float));
  for (std::size_t i = 0; i < total; ++i) data.as<float>()[i] = value_of(world_.rank(), i);
  const double sent = sent_over_links(
      [&] { communicator_->all_reduce(data.data(), data.data(), total, DType::f32, Reduction::sum); });
  EXPECT_EQ(first_wrong(data.as<float>(), total, 0, world_.size()), total);
  const double formula = 2 * (nodes() - 1) * total * sizeof(float);
  EXPECT_NEAR(sent, formula, 0.02 * formula);
}

TEST_F(TwoLevelNet, ReduceScatterAndAllGatherSendEachByteToEachOtherNodeOnce) {
  const Shards shards = Shards::cut(total, world_.size(), 64);
  const std::size_t mine = shards.count(communicator_->rank()), at = shards.offset(communicator_->rank());
  Buffer whole = communicator_->allocate(total * sizeof(float)),
         shard = communicator_->allocate(mine * sizeof(float));
  for (std::size_t i = 0; i < total; ++i) whole.as<float>()[i] = value_of(world_.rank(), i);
  const double formula = (nodes() - 1) * total * sizeof(float);

  const double scattered = sent_over_links(
      [&] { communicator_->reduce_scatter(whole.data(), shard.data(), shards, DType::f32, Reduction::sum); });
  EXPECT_EQ(first_wrong(shard.as<float>(), mine, at, world_.size()), mine);
  EXPECT_NEAR(scattered, formula, 0.02 * formula);

  std::fill_n(whole.as<float>(), total, 0.0f);
  const double gathered =
      sent_over_links([&] { communicator_->all_gather(shard.data(), whole.data(), shards, DType::f32); });
  EXPECT_EQ(first_wrong(whole.as<float>(), total, 0, world_.size()), total);
  EXPECT_NEAR(gathered, formula, 0.02 * formula);
}

TEST_F(TwoLevelNet, FourBitsCrossTheLinksInLessThanThreeTenthsOfBf16) {
  TwoHopReduceScatter reduce(world_, everyone_, {});
  const Shards shards = Shards::cut(total, world_.size(), 64);
  const std::vector<BFloat16> whole(total, BFloat16(7.0f));
  std::vector<float> shard(shards.count(communicator_->rank()));
  const double sent = sent_over_links(
      [&] { reduce.run(whole.data(), DType::bf16, shard.data(), DType::f32, shards, Reduction::sum); });
  for (const float value : shard) ASSERT_EQ(value, 7.0f * static_cast<float>(world_.size()));
  const double bf16 = (nodes() - 1) * total * sizeof(BFloat16);
  EXPECT_LE(sent, 0.30 * bf16);
  const double formula = (nodes() - 1) * static_cast<double>(codec::int4_blocks.bytes(total));
  EXPECT_NEAR(sent, formula, 0.02 * formula);
  if (world_.rank() == 0) std::printf("two-hop int4: %.4f of the bytes of bf16 across nodes\n", sent / bf16);
}

TEST_F(TwoLevelNet, CountersAgreeWithTheLinks) {
  Buffer data = communicator_->allocate(total * sizeof(float));
  std::fill_n(data.as<float>(), total, 1.0f);
  const std::uint64_t before = communicator_->traffic().across_nodes;
  const double sent = sent_over_links(
      [&] { communicator_->all_reduce(data.data(), data.data(), total, DType::f32, Reduction::sum); });
  const std::uint64_t mine = communicator_->traffic().across_nodes - before;
  std::uint64_t counted = 0;
  MPI_Allreduce(&mine, &counted, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  EXPECT_NEAR(sent, static_cast<double>(counted), 0.02 * static_cast<double>(counted));
}

}  // namespace
}  // namespace trireme::comm
