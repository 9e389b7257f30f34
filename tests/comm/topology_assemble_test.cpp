#include "comm/topology_assemble.h"

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

RankReport report(const std::string& host, int leader) {
  RankReport made;
  made.hostname = host;
  made.boot_id = "boot-of-" + host;
  made.shared_memory_leader = leader;
  return made;
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

TEST(Assemble, GroupsBySharedMemory) {
  const Topology topology =
      assemble({report("a", 0), report("b", 1), report("a", 0), report("b", 1), report("c", 4)});
  EXPECT_THAT(topology.node_of_rank(), ElementsAre(0, 1, 0, 1, 2));
  EXPECT_EQ(topology.nodes[1].hostname, "b");
  EXPECT_EQ(topology.nodes[2].boot_id, "boot-of-c");
}

TEST(Assemble, TwoMachinesInOneGroupAreRefused) {
  EXPECT_THAT(refusal([] {
                assemble({report("a", 0), report("b", 0)});
              }),
              HasSubstr("ranks 0 and 1 share memory, but they run on a (boot"));
  std::vector<RankReport> clones = {report("a", 0), report("a", 0)};
  clones[1].boot_id = "another";
  EXPECT_THAT(refusal([&] { assemble(clones); }), HasSubstr("(boot another)"));
}

TEST(Assemble, ContainersOfOneMachineAreTwoNodes) {
  std::vector<RankReport> reports = {report("a", 0), report("b", 1)};
  reports[1].boot_id = reports[0].boot_id;
  EXPECT_EQ(assemble(reports).nodes.size(), 2u);
}

TEST(Assemble, FirstProblemIsEverybodys) {
  std::vector<RankReport> reports = {report("a", 0), report("a", 0), report("a", 0)};
  reports[1].problem = "no cores";
  reports[2].problem = "later";
  reports[1].problem_code = reports[2].problem_code = static_cast<int>(ExitCode::configuration);
  EXPECT_EQ(refusal([&] { assemble(reports); }), "rank 1 on a: no cores");
}

TEST(Assemble, NodeHoldsTheGpusThatAnyRankSees) {
  std::vector<RankReport> reports = {report("a", 0), report("a", 0)};
  reports[0].gpus = {{"0000:03:00.0", "", "", 0}};
  reports[1].gpus = {{"0000:04:00.0", "", "", 0}, {"0000:02:00.0", "", "", 0}};
  const Topology topology = assemble(reports);
  ASSERT_EQ(topology.nodes[0].gpus.size(), 3u);
  EXPECT_EQ(topology.nodes[0].gpus[0].id, "0000:02:00.0");
  EXPECT_THAT(topology.place(0).visible_gpus, ElementsAre(1));
  EXPECT_THAT(topology.place(1).visible_gpus, ElementsAre(2, 0));
}

/// Two sockets, `gpus` split evenly over them.
Topology machine(int ranks, int gpus) {
  Topology topology = Topology::regular(1, ranks);
  topology.nodes[0].numa = {{0, 8, {10, 21}}, {1, 8, {21, 10}}};
  std::vector<int> all(static_cast<std::size_t>(gpus));
  std::iota(all.begin(), all.end(), 0);
  for (const int gpu : all)
    topology.nodes[0].gpus.push_back({"0000:0" + std::to_string(gpu) + ":00.0", "", "", gpu * 2 / gpus});
  for (Place& place : topology.ranks) place.visible_gpus = all, place.numa = {0, 1};
  return topology;
}

std::vector<int> assigned(Topology topology, bool share = false) {
  assign_gpus(topology, share);
  std::vector<int> gpus;
  for (const Place& place : topology.ranks) gpus.push_back(place.gpu);
  return gpus;
}

TEST(AssignGpus, UnboundRanksTakeThemInOrder) {
  EXPECT_THAT(assigned(machine(4, 4)), ElementsAre(0, 1, 2, 3));
}

TEST(AssignGpus, BoundRanksTakeNearOnes) {
  Topology topology = machine(4, 4);
  for (std::size_t rank = 0; rank < 4; ++rank) topology.ranks[rank].numa = {rank % 2 == 0 ? 1 : 0};
  EXPECT_THAT(assigned(topology), ElementsAre(2, 0, 3, 1));
}

TEST(AssignGpus, AnUnboundRankLeavesNearGpusToOthers) {
  Topology topology = machine(2, 2);
  topology.ranks[1].numa = {0};
  EXPECT_THAT(assigned(topology), ElementsAre(1, 0));
}

TEST(AssignGpus, RespectsWhatEachRankSees) {
  Topology topology = machine(3, 3);
  topology.ranks[0].visible_gpus = {0, 1};
  topology.ranks[1].visible_gpus = {0};
  topology.ranks[2].visible_gpus = {2, 1};
  EXPECT_THAT(assigned(topology), ElementsAre(1, 0, 2));
}

TEST(AssignGpus, RefusesSharedAndMissingGpus) {
  EXPECT_THAT(refusal([] { assigned(machine(3, 2)); }),
              HasSubstr("3 ranks on n0 would have to share 2 GPUs"));
  EXPECT_THAT(assigned(machine(3, 2), true), ElementsAre(0, 1, 0));
  Topology same = machine(2, 2);
  for (Place& place : same.ranks) place.visible_gpus = {1};
  EXPECT_THAT(refusal([&] { assigned(same); }), HasSubstr("two ranks on one GPU are refused"));
  EXPECT_THAT(refusal([] { assigned(machine(2, 0)); }), HasSubstr("rank 0 on n0 sees no GPU"));
}

TEST(AssignGpus, IsTheCheapestChoiceOnRandomMachines) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const int gpus = 1 + static_cast<int>(random() % 5),
              ranks = 1 + static_cast<int>(random() % static_cast<unsigned>(gpus));
    Topology topology = machine(ranks, gpus);
    for (Place& place : topology.ranks) {
      place.numa = {static_cast<int>(random() % 2)};
      std::shuffle(place.visible_gpus.begin(), place.visible_gpus.end(), random);
      place.visible_gpus.resize(1 + random() % static_cast<unsigned>(gpus));
    }
    const Node& node = topology.nodes[0];
    const auto total = [&](const std::vector<int>& choice) {
      int sum = 0;
      for (std::size_t rank = 0; rank < topology.ranks.size(); ++rank) {
        const Place& place = topology.ranks[rank];
        if (std::count(place.visible_gpus.begin(), place.visible_gpus.end(), choice[rank]) == 0)
          return 1 << 20;
        sum += node.numa_distance(place.numa[0], node.gpus[static_cast<std::size_t>(choice[rank])].numa);
      }
      return sum;
    };
    std::vector<int> order(static_cast<std::size_t>(gpus));
    std::iota(order.begin(), order.end(), 0);
    int best = 1 << 20;
    do best = std::min(best, total(order));
    while (std::next_permutation(order.begin(), order.end()));
    if (best == 1 << 20) {
      ASSERT_THROW(assigned(topology), Error);
    } else {
      const std::vector<int> chosen = assigned(topology);
      ASSERT_EQ(std::set<int>(chosen.begin(), chosen.end()).size(), chosen.size());
      ASSERT_EQ(total(chosen), best);
    }
  }
}

}  // namespace
}  // namespace trireme::comm
