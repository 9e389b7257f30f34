#include <cstring>
#include <random>

#include "comm/codec/quantised_all_gather.h"
#include "comm/codec/two_hop_reduce_scatter.h"
#include "comm/threads/thread_world.h"
#include "comm/through_host/through_host_world.h"
#include "tests/cuda/codec_on_device.h"
#include "tests/cuda/double_world.h"
#include "tests/nccl_double/host_codec.h"

namespace trireme::tests {
namespace {

using comm::Group;
using comm::QuantisedAllGather;
using comm::Reduction;
using comm::Shards;
using comm::TwoHopReduceScatter;

class DeviceCodec : public DoubleWorld {
 protected:
  void SetUp() override {
    DoubleWorld::SetUp();
    take_codec_calls();
  }
  std::size_t elements_of_node(const std::vector<int>& nodes, const Shards& shards) const {
    std::size_t elements = 0;
    for (int other = 0; other < size(); ++other)
      if (nodes[static_cast<std::size_t>(other)] == nodes[static_cast<std::size_t>(rank())])
        elements += shards.count(other);
    return elements;
  }
  /// The same ranks, said to lie on other nodes.
  std::unique_ptr<comm::World> world_on(const std::vector<int>& node_of_rank) {
    comm::DeviceWorldOptions options = comm::meet_over_mpi(mpi_);
    options.node_of_rank = node_of_rank;
    return plugin_.world(*device_, std::move(options));
  }
};

std::vector<std::byte> values_of(int rank, DType dtype, std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(rank) + 500);
  std::normal_distribution<float> normal;
  std::vector<std::byte> bytes(count * size_of(dtype));
  for (std::size_t i = 0; i < count; ++i) {
    const float value = normal(random);
    if (dtype == DType::f32) reinterpret_cast<float*>(bytes.data())[i] = value;
    if (dtype == DType::bf16) reinterpret_cast<BFloat16*>(bytes.data())[i] = BFloat16(value);
    if (dtype == DType::f16) reinterpret_cast<Float16*>(bytes.data())[i] = Float16(value);
  }
  return bytes;
}

std::vector<std::byte> bytes_of(const void* data, std::size_t bytes) {
  const auto* first = static_cast<const std::byte*>(data);
  return {first, first + bytes};
}

/// Odd counts; the second rank has nothing.
Shards uneven(int ranks) {
  std::vector<std::size_t> counts;
  for (int rank = 0; rank < ranks; ++rank)
    counts.push_back(rank == 1 ? 0 : 777 + static_cast<std::size_t>(rank) * 251);
  return Shards::of(std::move(counts));
}

TEST_F(DeviceCodec, MapsEveryFormatAndType) {
  CodecOnDevice(*device_).compare_all();
  const CodecCalls calls = take_codec_calls();
  EXPECT_GT(calls.encoded, 0u);
  EXPECT_GT(calls.decoded, 0u);
  EXPECT_GT(calls.recoded, 0u);
}

TEST_F(DeviceCodec, AllGatherQuantisesWhereTheMemoryIs) {
  const auto all = communicator();
  for (const Shards& shards : {Shards::even(1000, size()), uneven(size())})
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      QuantisedAllGather gather(*all, shards);
      const std::size_t width = size_of(dtype);
      const Buffer whole = all->allocate(std::max<std::size_t>(shards.total() * width, 1));
      std::byte* mine = whole.as<std::byte>() + shards.offset(rank()) * width;
      const auto values = values_of(rank(), dtype, shards.count(rank()));
      if (!values.empty()) std::memcpy(mine, values.data(), values.size());
      take_codec_calls();
      gather.run(mine, whole.data(), shards, dtype);
      const CodecCalls calls = take_codec_calls();
      std::uint64_t filled = 0;
      for (int from = 0; from < size(); ++from) {
        const std::size_t count = shards.count(from);
        filled += count > 0;
        const auto given = values_of(from, dtype, count);
        std::vector<std::byte> encoded(comm::codec::int8_blocks.bytes(count)), wanted(count * width);
        comm::codec::reference::encode(comm::codec::int8_blocks, given.data(), dtype, count, encoded.data());
        const void* part = encoded.data();
        comm::codec::reference::decode_sum(comm::codec::int8_blocks, std::span(&part, 1), count, 1.0f,
                                           wanted.data(), dtype);
        ASSERT_EQ(bytes_of(whole.as<std::byte>() + shards.offset(from) * width, wanted.size()), wanted);
      }
      EXPECT_EQ(calls.encoded, shards.count(rank()) > 0 ? 1u : 0u);
      EXPECT_EQ(calls.decoded, filled);
    }
}

struct Reduced {
  DType whole, shard;
  Reduction reduction;
};

/// What every rank of threads on these nodes gets from host memory.
std::vector<std::vector<std::byte>> over_threads(const std::vector<int>& nodes, const Shards& shards,
                                                 const Reduced& how, const comm::TwoHopOptions& options) {
  const int ranks = shards.ranks();
  std::vector<std::vector<std::byte>> shards_of(static_cast<std::size_t>(ranks));
  comm::run_ranks(
      ranks,
      [&](comm::World& world) {
        Group group;
        for (int rank = 0; rank < ranks; ++rank) group.ranks.push_back(rank);
        TwoHopReduceScatter reduce(world, group, {}, options);
        const auto values = values_of(world.rank(), how.whole, shards.total());
        std::vector<std::byte> shard(shards.count(world.rank()) * size_of(how.shard));
        reduce.run(values.data(), how.whole, shard.data(), how.shard, shards, how.reduction);
        shards_of[static_cast<std::size_t>(world.rank())] = std::move(shard);
      },
      nodes);
  return shards_of;
}

TEST_F(DeviceCodec, TwoHopsReduceAsOnTheHostOnAnyNodes) {
  const std::vector<std::vector<int>> layouts = {{0},          {0, 0},       {0, 1},       {0, 0, 0, 0},
                                                 {0, 0, 1, 1}, {0, 0, 0, 1}, {0, 1, 0, 1}, {0, 1, 2, 2}};
  for (const auto& nodes : layouts) {
    if (static_cast<int>(nodes.size()) != size()) continue;
    const auto world = world_on(nodes);
    for (const Reduced& how :
         {Reduced{DType::f32, DType::f32, Reduction::sum}, Reduced{DType::bf16, DType::f32, Reduction::mean},
          Reduced{DType::f16, DType::bf16, Reduction::sum}})
      for (const Shards& shards : {Shards::even(901, size()), uneven(size())}) {
        const comm::TwoHopOptions options{.lane_elements = 1000};
        TwoHopReduceScatter reduce(*world, everyone(), {}, options);
        const auto values = values_of(rank(), how.whole, shards.total());
        const Buffer whole = device_->allocate(values.size());
        const std::size_t bytes = shards.count(rank()) * size_of(how.shard);
        const Buffer shard = device_->allocate(std::max<std::size_t>(bytes, 1));
        std::memcpy(whole.data(), values.data(), values.size());
        take_codec_calls();
        reduce.run(whole.data(), how.whole, shard.data(), how.shard, shards, how.reduction);
        const CodecCalls calls = take_codec_calls();
        const bool crosses = reduce.layout().nodes() > 1, carries = reduce.layout().in_a_lane(rank());
        EXPECT_GT(calls.encoded, 0u);
        EXPECT_EQ(calls.decoded > 0, carries && elements_of_node(nodes, shards) > 0);
        EXPECT_EQ(calls.recoded > 0, carries && crosses);
        ASSERT_EQ(bytes_of(shard.data(), bytes),
                  over_threads(nodes, shards, how, options)[static_cast<std::size_t>(rank())]);
      }
  }
}

TEST_F(DeviceCodec, TwoHopsThroughTheHostQuantiseOnTheDevice) {
  comm::ThroughHostWorld world(mpi_, *device_, 5000);
  const Shards shards = uneven(size());
  const Reduced how{DType::f32, DType::f32, Reduction::mean};
  const comm::TwoHopOptions options{.lane_elements = 600};
  TwoHopReduceScatter reduce(world, everyone(), {}, options);
  const auto values = values_of(rank(), how.whole, shards.total());
  const std::size_t bytes = shards.count(rank()) * size_of(how.shard);
  const Buffer whole = device_->allocate(values.size()),
               shard = device_->allocate(std::max<std::size_t>(bytes, 1));
  std::memcpy(whole.data(), values.data(), values.size());
  take_codec_calls();
  reduce.run(whole.data(), how.whole, shard.data(), how.shard, shards, how.reduction);
  const CodecCalls calls = take_codec_calls();
  EXPECT_GT(calls.encoded, 0u);
  EXPECT_GT(calls.decoded, 0u);
  ASSERT_EQ(bytes_of(shard.data(), bytes),
            over_threads(world.node_of_rank(), shards, how, options)[static_cast<std::size_t>(rank())]);
}

}  // namespace
}  // namespace trireme::tests
