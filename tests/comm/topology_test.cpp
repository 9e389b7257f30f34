#include "comm/topology.h"

#include <random>

#include <gmock/gmock.h>

#include "core/error.h"

namespace trireme::comm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::string& json) {
  try {
    topology_from_json(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    return error.what();
  }
  return "accepted";
}

TEST(Topology, RegularLayoutIsInBlocks) {
  const Topology topology = Topology::regular(3, 2);
  EXPECT_THAT(topology.node_of_rank(), ElementsAre(0, 0, 1, 1, 2, 2));
  EXPECT_THAT(topology.nodes[1].ranks, ElementsAre(2, 3));
  EXPECT_EQ(topology.place(3).local_rank, 1);
  EXPECT_EQ(topology.node_of(5).hostname, "n2");
  EXPECT_TRUE(topology.even());
  EXPECT_EQ(topology.describe(), "3 nodes × 2 ranks");
  EXPECT_EQ(Topology::regular(1, 1).describe(), "1 node × 1 rank");
}

TEST(Topology, RaggedLayoutSaysSo) {
  const Topology topology = Topology::ragged({2, 1});
  EXPECT_FALSE(topology.even());
  EXPECT_EQ(topology.describe(), "3 ranks on 2 nodes (2+1)");
}

TEST(Topology, RoundRobinRanksKeepTheirNodes) {
  const Topology topology = Topology::of_nodes({0, 1, 0, 1, 0});
  EXPECT_THAT(topology.nodes[0].ranks, ElementsAre(0, 2, 4));
  EXPECT_EQ(topology.place(3).local_rank, 1);
}

TEST(Topology, NodesWithoutRanksAreRefused) {
  EXPECT_THROW(Topology::of_nodes({}), Error);
  EXPECT_THROW(Topology::of_nodes({0, 2}), Error);
  EXPECT_THROW(Topology::ragged({2, 0, 1}), Error);
}

TEST(Topology, JsonRoundTripKeepsEverything) {
  std::mt19937 random(7);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 200; ++round) {
    std::vector<int> sizes(static_cast<std::size_t>(1 + below(6)));
    for (int& size : sizes) size = 1 + below(5);
    Topology topology = Topology::ragged(sizes);
    for (Node& node : topology.nodes) {
      node.hostname += "\"é\\";
      for (int gpu = below(4); gpu > 0; --gpu)
        node.gpus.push_back({"0000:0" + std::to_string(gpu) + ":00.0", "H100", "GPU-1", below(3) - 1});
      node.numa = {{0, 4, {10, 21}}, {8, 4, {21, 10}}};
      node.interfaces.push_back({"eth0", "10.0.0.1", 0.5 * below(100), below(2) == 0, -1});
    }
    for (Place& place : topology.ranks) {
      place.cores = {below(64), below(64)};
      place.numa = {8};
      for (std::size_t gpu = 0; gpu < topology.nodes[static_cast<std::size_t>(place.node)].gpus.size(); ++gpu)
        place.visible_gpus.push_back(place.gpu = static_cast<int>(gpu));
    }
    EXPECT_EQ(topology_from_json(to_json(topology)), topology);
  }
}

TEST(Topology, BrokenJsonIsRefusedWithOneSentence) {
  const std::string good = to_json(Topology::regular(2, 2));
  EXPECT_EQ(refusal(good), "accepted");
  EXPECT_THAT(refusal(""), HasSubstr("is not JSON"));
  EXPECT_THAT(refusal(good.substr(0, good.size() / 2)), HasSubstr("is not JSON"));
  EXPECT_THAT(refusal("{}"), HasSubstr("missing or malformed"));
  EXPECT_THAT(refusal("[1, 2]"), HasSubstr("missing or malformed"));
  EXPECT_THAT(refusal(R"({"nodes": [], "ranks": []})"), HasSubstr("no ranks"));
  Topology liar = Topology::regular(2, 2);
  liar.ranks[3].node = 0;
  EXPECT_THAT(refusal(to_json(liar)), HasSubstr("rank 3 and node 1 do not name each other"));
  liar = Topology::regular(2, 2);
  liar.nodes[1].ranks = {2, 7};
  EXPECT_THAT(refusal(to_json(liar)), HasSubstr("names rank 7 of 4"));
  liar = Topology::regular(2, 2);
  liar.ranks[0].visible_gpus = {0};
  EXPECT_THAT(refusal(to_json(liar)), HasSubstr("sees GPU 0"));
  liar = Topology::regular(1, 2);
  liar.nodes[0].ranks = {0};
  EXPECT_THAT(refusal(to_json(liar)), HasSubstr("hold 1 ranks of 2"));
}

TEST(Topology, NumaDistanceIsTheKernels) {
  Node node;
  node.numa = {{0, 4, {10, 21}}, {8, 4, {22, 10}}};
  EXPECT_EQ(node.numa_distance(0, 8), 21);
  EXPECT_EQ(node.numa_distance(8, 0), 22);
  EXPECT_EQ(node.numa_distance(8, 8), 10);
  EXPECT_EQ(node.numa_distance(-1, 0), 255);
}

TEST(Topology, DeviceOrdinalCountsVisibleGpusOnly) {
  Topology topology = Topology::regular(1, 2);
  topology.nodes[0].gpus.resize(4);
  topology.ranks[0].visible_gpus = {2, 3};
  topology.ranks[0].gpu = 3;
  EXPECT_EQ(topology.device_ordinal(0), 1);
  EXPECT_EQ(topology.device_ordinal(1), -1);
}

}  // namespace
}  // namespace trireme::comm
