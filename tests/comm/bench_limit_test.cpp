#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/bench/layout.h"
#include "comm/bench/limit.h"
#include "comm/bench/link_rate.h"
#include "comm/bench/streams.h"
#include "core/error.h"

namespace trireme::comm::bench {
namespace {

using testing::ElementsAre;

Workload of(Collective collective, int ranks, std::size_t bytes, bool in_place = false) {
  return Workload::fitting(collective, DType::f32, Reduction::sum, ranks, in_place, bytes);
}

double bytes_moved(const MemoryMix& mix) {
  return double(mix.reads + mix.writes) * double(mix.block_bytes);
}

TEST(BenchLimit, BytesThatEachRankMustMoveInsideANode) {
  const GroupShape two{2, 1, 1}, four{4, 1, 1};
  EXPECT_DOUBLE_EQ(bytes_moved(memory_mix(of(Collective::all_gather, 2, 4096), two, 0)), 2 * 4096);
  EXPECT_DOUBLE_EQ(bytes_moved(memory_mix(of(Collective::all_gather, 2, 4096, true), two, 0)), 4096);
  EXPECT_DOUBLE_EQ(bytes_moved(memory_mix(of(Collective::reduce_scatter, 2, 4096), two, 0)), 1.5 * 4096);
  EXPECT_DOUBLE_EQ(bytes_moved(memory_mix(of(Collective::reduce_scatter, 4, 4096), four, 0)), 1.25 * 4096);
  EXPECT_DOUBLE_EQ(bytes_moved(memory_mix(of(Collective::all_reduce, 4, 4096), four, 3)), 2 * 4096);
  EXPECT_TRUE(memory_mix(of(Collective::broadcast, 4, 4096), four, 0).idle());
  EXPECT_DOUBLE_EQ(bytes_moved(memory_mix(of(Collective::broadcast, 4, 4096), four, 1)), 2 * 4096);
}

TEST(BenchLimit, StoresThatLeaveTheResultOutOfReachAreNone) {
  EXPECT_DOUBLE_EQ(memory_limit({50, 56}, {34, 114}), 50);
  EXPECT_DOUBLE_EQ(memory_limit({1970, 2870}, {1310, 2380}), 1310);
}

TEST(BenchLimit, BytesThatMustCrossALink) {
  const GroupShape one_node{4, 1, 1}, two_nodes{8, 2, 1}, pairs_across{2, 2, 4};
  EXPECT_DOUBLE_EQ(link_bytes(of(Collective::all_reduce, 4, 4096), one_node), 0);
  EXPECT_DOUBLE_EQ(link_bytes(of(Collective::all_gather, 8, 4096), two_nodes), 2048);
  EXPECT_DOUBLE_EQ(link_bytes(of(Collective::all_reduce, 8, 4096), two_nodes), 4096);
  EXPECT_DOUBLE_EQ(link_bytes(of(Collective::broadcast, 8, 4096), two_nodes), 4096);
  EXPECT_DOUBLE_EQ(link_bytes(of(Collective::all_to_all, 8, 4096), two_nodes), 8192);
  EXPECT_DOUBLE_EQ(link_bytes(of(Collective::all_reduce, 2, 4096), pairs_across), 4 * 4096);
}

TEST(BenchLimit, InATurnNoNodeHasTwoStreams) {
  for (int nodes = 2; nodes <= 9; ++nodes)
    for (int turn = 0; turn < link_turns(nodes); ++turn) {
      std::vector<int> streams(static_cast<std::size_t>(nodes));
      int links = 0;
      for (int node = 0; node < nodes; ++node) {
        if (turn_of_link(node, nodes) != turn) continue;
        ++links;
        ++streams[static_cast<std::size_t>(node)], ++streams[static_cast<std::size_t>((node + 1) % nodes)];
      }
      EXPECT_GT(links, 0);
      EXPECT_LE(*std::max_element(streams.begin(), streams.end()), 1) << nodes << " nodes, turn " << turn;
    }
}

TEST(BenchStreams, SumAndCopyWhatAScalarLoopWould) {
  for (const Stores stores : {Stores::cached, Stores::streaming})
    for (const std::size_t block : {1u, 15u, 64u, 67u, 1024u})
      for (const int reads : {1, 2, 3, 4})
        for (const int writes : {1, 2, 4}) {
          std::vector<float> in(block * 4), expected(block), out(block * 4 + 1, -1);
          for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i % 97);
          for (int read = 0; read < reads; ++read)
            for (std::size_t i = 0; i < block; ++i)
              expected[i] += in[static_cast<std::size_t>(read) * block + i];
          stream_blocks(in.data(), reads, out.data(), writes, block * sizeof(float), stores);
          for (std::size_t i = 0; i < out.size(); ++i)
            ASSERT_EQ(out[i], i < block * static_cast<std::size_t>(writes) ? expected[i % block] : -1);
        }
}

TEST(BenchLayout, GroupsOfTwoNodesOfTwo) {
  const std::vector<int> nodes{0, 0, 1, 1};
  EXPECT_THAT(group_of(Span::world, nodes, 2).ranks, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(group_of(Span::node, nodes, 2).ranks, ElementsAre(2, 3));
  EXPECT_THAT(group_of(Span::across, nodes, 3).ranks, ElementsAre(1, 3));
  const GroupShape across = shape_of(group_of(Span::across, nodes, 3), nodes);
  EXPECT_EQ(across.nodes, 2);
  EXPECT_EQ(across.groups_per_node, 2);
  EXPECT_EQ(shape_of(group_of(Span::world, nodes, 0), nodes).groups_per_node, 1);
  EXPECT_EQ(shape_of(group_of(Span::node, nodes, 0), nodes).nodes, 1);
}

TEST(BenchLayout, AcrossIsRefusedOnUnevenNodes) {
  EXPECT_THROW(group_of(Span::across, {0, 0, 1}, 0), Error);
  EXPECT_THROW(parse_span("rack"), Error);
}

}  // namespace
}  // namespace trireme::comm::bench
