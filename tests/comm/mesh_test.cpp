#include "comm/mesh.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "core/error.h"

namespace trireme::comm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// The group of each rank.
std::vector<const Group*> by_rank(const GroupSet& set, const Mesh& mesh) {
  std::vector<const Group*> groups(static_cast<std::size_t>(mesh.size()), nullptr);
  for (const Group& group : set.groups)
    for (const int rank : group.ranks) groups[static_cast<std::size_t>(rank)] = &group;
  return groups;
}

void expect_partition(const GroupSet& set, const Mesh& mesh) {
  std::vector<int> seen;
  for (const Group& group : set.groups) {
    ASSERT_FALSE(group.ranks.empty());
    seen.insert(seen.end(), group.ranks.begin(), group.ranks.end());
    for (std::size_t i = 1; i < group.ranks.size(); ++i)
      ASSERT_LT(mesh.position(group.ranks[i - 1]), mesh.position(group.ranks[i]));
    ASSERT_EQ(&set.of(group.ranks.back()), &group);
  }
  std::sort(seen.begin(), seen.end());
  std::vector<int> everyone(static_cast<std::size_t>(mesh.size()));
  std::iota(everyone.begin(), everyone.end(), 0);
  ASSERT_EQ(seen, everyone);
}

int distinct_nodes(const Topology& topology, const Group& group) {
  std::set<int> nodes;
  for (const int rank : group.ranks) nodes.insert(topology.place(rank).node);
  return static_cast<int>(nodes.size());
}

void expect_split(const Topology& topology, const Mesh& mesh, const ShardMesh& split) {
  expect_partition(split.shards, mesh);
  expect_partition(split.replicas, mesh);
  const auto shards_of = by_rank(split.shards, mesh), replicas_of = by_rank(split.replicas, mesh);
  std::vector<int> index(static_cast<std::size_t>(mesh.size()));
  for (const Group& group : split.shards.groups)
    for (int at = 0; at < group.size(); ++at)
      index[static_cast<std::size_t>(group.ranks[static_cast<std::size_t>(at)])] = at;
  for (int rank = 0; rank < mesh.size(); ++rank) {
    const std::size_t r = static_cast<std::size_t>(rank);
    const Group &shards = *shards_of[r], &replicas = *replicas_of[r];
    ASSERT_EQ(shards.size(), split.span);
    ASSERT_EQ(shards.size() * replicas.size(), mesh.size());
    const auto shared = std::count_if(replicas.ranks.begin(), replicas.ranks.end(), [&](int other) {
      return shards_of[static_cast<std::size_t>(other)] == &shards;
    });
    ASSERT_EQ(shared, 1);
    ASSERT_TRUE(replicas.contains(rank));
    for (const int replica : replicas.ranks) ASSERT_EQ(index[static_cast<std::size_t>(replica)], index[r]);
  }
  const auto inside = [&](const Node& node) {
    return node.ranks.size() % static_cast<std::size_t>(split.span) == 0;
  };
  if (std::all_of(topology.nodes.begin(), topology.nodes.end(), inside)) {
    ASSERT_EQ(mesh.crossing(split.shards), 0);
  }
}

/// Node sizes equal or ragged; ranks in blocks or dealt at random.
Topology random_topology(std::mt19937& random) {
  const auto from_to = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
  };
  std::vector<int> sizes(static_cast<std::size_t>(from_to(1, 40)), from_to(1, 8));
  if (random() % 2) {
    for (int& size : sizes) size = from_to(1, 8);
  }
  if (random() % 2) return Topology::ragged(sizes);
  std::vector<int> node_of_rank = Topology::ragged(sizes).node_of_rank();
  std::shuffle(node_of_rank.begin(), node_of_rank.end(), random);
  std::vector<int> number(sizes.size(), -1);
  int next = 0;
  for (int& node : node_of_rank) {
    int& renamed = number[static_cast<std::size_t>(node)];
    if (renamed < 0) renamed = next++;
    node = renamed;
  }
  return Topology::of_nodes(node_of_rank);
}

TEST(Mesh, HoldsItsPromisesOnRandomLayouts) {
  std::mt19937 random(20240607);
  for (int round = 0; round < 5000; ++round) {
    const Topology topology = random_topology(random);
    const Mesh mesh(topology);
    SCOPED_TRACE(topology.describe());
    ASSERT_EQ(mesh.size(), topology.size());
    expect_partition({{mesh.world()}}, mesh);
    expect_partition(mesh.node_groups(), mesh);
    expect_partition(mesh.across_nodes(), mesh);
    ASSERT_EQ(mesh.crossing(mesh.node_groups()), 0);
    ASSERT_EQ(mesh.across_nodes().groups.front().size(), mesh.nodes());
    for (const Group& peers : mesh.across_nodes().groups)
      ASSERT_EQ(distinct_nodes(topology, peers), peers.size());

    const int k = 1 + static_cast<int>(random() % static_cast<unsigned>(mesh.size()));
    if (mesh.size() % k != 0) {
      ASSERT_THROW(mesh.split(k), Error);
      ASSERT_THROW(mesh.contiguous(k), Error);
      ASSERT_THROW(mesh.strided(k), Error);
    } else {
      expect_split(topology, mesh, mesh.split(k));
      for (const Group& group : mesh.split(k).shards.groups)
        ASSERT_EQ(mesh.crosses_nodes(group), distinct_nodes(topology, group) > 1);
    }
    expect_split(topology, mesh, mesh.split(mesh.size()));
    expect_split(topology, mesh, mesh.split(1));
    if (topology.even()) {
      expect_split(topology, mesh, mesh.split_by_node());
      ASSERT_EQ(mesh.split_by_node().shards, mesh.node_groups());
      ASSERT_EQ(mesh.split_by_node().replicas, mesh.across_nodes());
    } else {
      ASSERT_THROW(mesh.split_by_node(), Error);
    }
  }
}

TEST(Mesh, EveryDivisorOfASmallWorldWorks) {
  for (int nodes = 1; nodes <= 6; ++nodes)
    for (int each = 1; each <= 6; ++each) {
      const Topology topology = Topology::regular(nodes, each);
      const Mesh mesh(topology);
      for (int k = 1; k <= mesh.size(); ++k)
        if (mesh.size() % k == 0) expect_split(topology, mesh, mesh.split(k));
    }
}

TEST(Mesh, ThreeNodesOfTwo) {
  const Mesh mesh(Topology::regular(3, 2));
  const ShardMesh by_three = mesh.split(3);
  EXPECT_THAT(by_three.shards.of(2).ranks, ElementsAre(0, 1, 2));
  EXPECT_THAT(by_three.replicas.of(2).ranks, ElementsAre(2, 5));
  EXPECT_EQ(mesh.crossing(by_three.shards), 2);
  EXPECT_THAT(mesh.split_by_node().replicas.of(3).ranks, ElementsAre(1, 3, 5));
  EXPECT_THAT(mesh.strided(3).of(1).ranks, ElementsAre(1, 4));
}

TEST(Mesh, TwoAndOne) {
  const Mesh mesh(Topology::ragged({2, 1}));
  EXPECT_EQ(mesh.split(3).shards.groups.size(), 1u);
  EXPECT_EQ(mesh.split(1).replicas.groups.size(), 1u);
  EXPECT_THAT(mesh.node_group(1).ranks, ElementsAre(0, 1));
  EXPECT_THAT(mesh.across_nodes().groups, ElementsAre(Group{{0, 2}}, Group{{1}}));
}

TEST(Mesh, RoundRobinRanksCountNodeByNode) {
  const Mesh mesh(Topology::of_nodes({0, 1, 0, 1}));
  EXPECT_THAT(mesh.world().ranks, ElementsAre(0, 2, 1, 3));
  EXPECT_EQ(mesh.crossing(mesh.split(2).shards), 0);
  EXPECT_THAT(mesh.split(2).replicas.of(3).ranks, ElementsAre(2, 3));
}

template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    return error.what();
  }
  return "accepted";
}

TEST(Mesh, RefusalsSayWhatFits) {
  const Mesh mesh(Topology::ragged({4, 2}));
  EXPECT_EQ(refusal([&] { mesh.split(4); }),
            "shard groups of 4 ranks do not divide the 6 ranks of this job (6 ranks on 2 nodes (4+2)); what "
            "fits: 1, 2, 3, 6");
  EXPECT_THAT(refusal([&] { mesh.contiguous(0); }), HasSubstr("groups of 0 ranks"));
  EXPECT_THAT(refusal([&] { mesh.strided(-2); }), HasSubstr("what fits"));
  EXPECT_THAT(refusal([&] { mesh.split_by_node(); }),
              HasSubstr("the nodes differ in size (6 ranks on 2 nodes (4+2))"));
}

}  // namespace
}  // namespace trireme::comm
