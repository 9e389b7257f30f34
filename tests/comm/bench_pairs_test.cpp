#include <algorithm>
#include <boost/json/parse.hpp>
#include <functional>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/bench/pair_bench.h"
#include "comm/bench/slow_links.h"

namespace trireme::comm::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Plant = std::function<void(PairResult&)>;

/// A cluster whose links differ by some noise, with one fault planted into it.
std::vector<PairResult> cluster(const std::vector<int>& node_of_rank, unsigned seed, const Plant& plant) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> noise(0.92, 1.08);
  std::vector<PairResult> pairs;
  const int ranks = static_cast<int>(node_of_rank.size());
  for (int from = 0; from < ranks; ++from)
    for (int to = 0; to < ranks; ++to) {
      if (from == to) continue;
      const bool inside =
          node_of_rank[static_cast<std::size_t>(from)] == node_of_rank[static_cast<std::size_t>(to)];
      PairResult pair{from, to, (inside ? 0.7 : 12) * noise(generator), (inside ? 20 : 3) * noise(generator)};
      plant(pair);
      pairs.push_back(pair);
    }
  return pairs;
}

std::vector<std::string> named(const std::vector<int>& node_of_rank, unsigned seed, const Plant& plant) {
  const auto pairs = cluster(node_of_rank, seed, plant);
  const auto verdicts = judge(pairs, node_of_rank, {});
  auto names = suspects(pairs, verdicts, &Verdict::slow, node_of_rank);
  std::ranges::move(suspects(pairs, verdicts, &Verdict::late, node_of_rank), std::back_inserter(names));
  return names;
}

const std::vector<int> four_nodes{0, 0, 1, 1, 2, 2, 3, 3};

TEST(BenchPairs, NothingFallsOutOfAHealthyCluster) {
  for (unsigned seed = 0; seed < 100; ++seed)
    EXPECT_THAT(named(four_nodes, seed, [](PairResult&) {}), IsEmpty()) << seed;
}

TEST(BenchPairs, OneSlowDirectionIsNamed) {
  for (unsigned seed = 0; seed < 100; ++seed)
    EXPECT_THAT(named(four_nodes, seed,
                      [](PairResult& pair) {
                        if (pair.from == 2 && pair.to == 5) pair.gb_s *= 0.55;
                      }),
                ElementsAre("rank 2 to rank 5"));
}

TEST(BenchPairs, ASlowLinkBetweenTwoNodesIsNamedOnce) {
  for (unsigned seed = 0; seed < 100; ++seed)
    EXPECT_THAT(named(four_nodes, seed,
                      [](PairResult& pair) {
                        if (std::minmax(pair.from / 2, pair.to / 2) == std::minmax(1, 3)) pair.gb_s *= 0.5;
                      }),
                ElementsAre("the link between nodes 1 and 3"));
}

TEST(BenchPairs, ASlowNodeIsNamedOnce) {
  for (unsigned seed = 0; seed < 100; ++seed)
    EXPECT_THAT(named(four_nodes, seed,
                      [](PairResult& pair) {
                        if ((pair.from / 2 == 2) != (pair.to / 2 == 2)) pair.latency_us *= 4;
                      }),
                ElementsAre("the links of node 2 to the others"));
}

TEST(BenchPairs, ANodeThatIsSlowInOneDirectionIsNamedWithIt) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    EXPECT_THAT(named(four_nodes, seed,
                      [](PairResult& pair) {
                        if (pair.from / 2 == 1 && pair.to / 2 != 1) pair.gb_s *= 0.3;
                      }),
                ElementsAre("what node 1 sends to the others"));
    EXPECT_THAT(named({0, 1, 2, 3}, seed,
                      [](PairResult& pair) {
                        if (pair.to == 3) pair.gb_s *= 0.3;
                      }),
                ElementsAre("what node 3 receives from the others"));
  }
}

TEST(BenchPairs, NoisyLatenciesDoNotBlurWhichDirectionIsSlow) {
  const std::vector<int> four_hosts{0, 1, 2, 3};
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::mt19937 generator(seed);
    const auto pairs = cluster(four_hosts, seed, [&](PairResult& pair) {
      if (pair.from == 2) pair.gb_s *= 0.1;
      if (generator() % 2 == 0) pair.latency_us *= 3;
    });
    EXPECT_THAT(suspects(pairs, judge(pairs, four_hosts, {}), &Verdict::slow, four_hosts),
                ElementsAre("what node 2 sends to the others"));
  }
}

TEST(BenchPairs, ASlowRankIsNamedInsideAndAcrossNodes) {
  for (unsigned seed = 0; seed < 100; ++seed)
    EXPECT_THAT(named(four_nodes, seed,
                      [](PairResult& pair) {
                        if (pair.from == 6 || pair.to == 6) pair.gb_s *= 0.4;
                      }),
                ElementsAre("rank 6"));
}

TEST(BenchPairs, ClassesAreJudgedEachByItself) {
  const auto pairs = cluster(four_nodes, 1, [](PairResult&) {});
  const auto verdicts = judge(pairs, four_nodes, {});
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(verdicts[i].same_node, pairs[i].from / 2 == pairs[i].to / 2);
    EXPECT_NEAR(verdicts[i].usual_gb_s, verdicts[i].same_node ? 20 : 3, verdicts[i].same_node ? 2 : 0.3);
  }
}

TEST(BenchPairs, SmallLatenciesMayDoubleWithoutFallingOut) {
  EXPECT_THAT(named({0, 0, 0, 0}, 1,
                    [](PairResult& pair) { pair.latency_us = pair.from == 0 && pair.to == 1 ? 0.3 : 0.05; }),
              IsEmpty());
}

TEST(BenchPairs, RoundsHoldEveryPairOnceAndDisjointOnesAtOnce) {
  for (int ranks = 2; ranks <= 9; ++ranks)
    for (const bool at_once : {false, true}) {
      std::set<std::pair<int, int>> seen;
      const auto rounds = pair_rounds(ranks, at_once);
      for (const auto& round : rounds) {
        std::set<int> busy;
        for (const auto& pair : round) {
          EXPECT_TRUE(seen.insert(pair).second);
          EXPECT_TRUE(busy.insert(pair.first).second && busy.insert(pair.second).second);
          EXPECT_LT(pair.first, pair.second);
          EXPECT_LT(pair.second, ranks);
        }
        EXPECT_EQ(round.size(), at_once ? static_cast<std::size_t>(ranks / 2) : 1u);
      }
      EXPECT_EQ(seen.size(), static_cast<std::size_t>(ranks * (ranks - 1) / 2));
    }
}

PairReport report_with_a_slow_pair() {
  PairReport report;
  report.backend = "openmpi";
  report.message_bytes = 1 << 20;
  report.node_of_rank = {0, 0, 1, 1};
  report.host_of_rank = {"a", "a", "b", "b"};
  report.pairs = cluster(report.node_of_rank, 3, [](PairResult& pair) {
    if (pair.from == 3 && pair.to == 0) pair.gb_s = 1;
  });
  report.verdicts = judge(report.pairs, report.node_of_rank, {});
  return report;
}

TEST(BenchPairs, TheReportMarksTheSlowPairAndNoOther) {
  const std::string text = text_of(report_with_a_slow_pair());
  EXPECT_THAT(text, HasSubstr("* rank 3 (b) to rank 0 (a)"));
  EXPECT_THAT(text, HasSubstr(" 1.00*"));
  EXPECT_THAT(text, HasSubstr("falls out in rate: rank 3 to rank 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("* rank 0")));
}

TEST(BenchPairs, JsonHasACollectivesFieldsAndBothEnds) {
  const auto lines = json_of(report_with_a_slow_pair());
  ASSERT_EQ(lines.size(), 12u);
  int slow = 0;
  for (const std::string& text : lines) {
    const auto line = boost::json::parse(text).as_object();
    for (const char* field : {"collective", "backend", "ranks", "nodes", "bytes", "time_us", "algbw_gb_s",
                              "busbw_gb_s", "limit_gb_s"})
      EXPECT_TRUE(line.contains(field)) << field;
    if (!line.at("slow").as_bool()) continue;
    ++slow;
    EXPECT_EQ(line.at("from").as_int64(), 3);
    EXPECT_EQ(line.at("to_host").as_string(), "a");
    EXPECT_EQ(line.at("nodes").as_int64(), 2);
    EXPECT_NEAR(line.at("time_us").to_number<double>(), 1048.576, 0.01);
  }
  EXPECT_EQ(slow, 1);
}

}  // namespace
}  // namespace trireme::comm::bench
