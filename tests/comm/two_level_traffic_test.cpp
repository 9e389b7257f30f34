#include <gtest/gtest.h>

#include "comm/threads/thread_world.h"
#include "comm/two_level/traffic.h"

namespace trireme::comm {
namespace {

TEST(TwoLevelTraffic, IsWhatTheCommunicatorCounts) {
  const std::vector<std::vector<int>> worlds{
      {0, 0, 1, 1}, {0, 0, 0, 1, 1, 1}, {0, 0, 1, 1, 2, 2}, {0, 0, 0, 1}, {0, 1, 1, 0, 2}};
  for (const auto& nodes : worlds)
    for (const TwoLevelOptions& options :
         {TwoLevelOptions{.lane_bytes = 512}, TwoLevelOptions{}, TwoLevelOptions{.least_lane_bytes = 512}}) {
      const int ranks = static_cast<int>(nodes.size());
      run_ranks(
          ranks,
          [&](World& world) {
            Group group;
            for (int rank = 0; rank < ranks; ++rank) group.ranks.push_back(rank);
            TwoLevelCommunicator communicator(world, group, {}, options);
            for (const DType dtype : {DType::f32, DType::bf16, DType::u8})
              for (const std::size_t each : {std::size_t{1}, std::size_t{77}, std::size_t{4096}}) {
                const std::size_t width = size_of(dtype), count = each * static_cast<std::size_t>(ranks);
                std::vector<std::byte> whole(count * width), shard(each * width);
                const Shards shards = Shards::even(each, ranks);
                std::vector<Call> calls{Call::all_gather(shard.data(), whole.data(), shards, dtype)};
                if (dtype != DType::u8) {
                  calls.push_back(
                      Call::reduce_scatter(whole.data(), shard.data(), shards, dtype, Reduction::sum));
                  calls.push_back(Call::all_reduce(whole.data(), whole.data(), count, dtype, Reduction::sum));
                }
                for (const Call& call : calls) {
                  const Traffic before = communicator.traffic();
                  communicator.run(call);
                  const Traffic after = communicator.traffic();
                  const Traffic counted =
                      two_level_traffic(call, world.rank(), communicator.layout(), options);
                  EXPECT_EQ(after.inside_node - before.inside_node, counted.inside_node) << call.describe();
                  EXPECT_EQ(after.across_nodes - before.across_nodes, counted.across_nodes)
                      << call.describe();
                }
              }
          },
          nodes);
    }
}

TEST(TwoLevelTraffic, LongVectorsTakeLongerRoundsInsteadOfMore) {
  const NodeLayout layout({{0, 1, 2, 3}}, {0, 0, 1, 1});
  const auto rounds = [&](std::size_t bytes) { return bytes / round_bytes({}, layout, bytes); };
  EXPECT_EQ(rounds(std::size_t{1} << 20), 4u);
  EXPECT_EQ(rounds(std::size_t{2} << 20), 8u);
  EXPECT_EQ(rounds(std::size_t{8} << 20), 8u);
  EXPECT_EQ(rounds(std::size_t{16} << 20), 16u);
}

}  // namespace
}  // namespace trireme::comm
