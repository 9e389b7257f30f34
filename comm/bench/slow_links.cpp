#include "comm/bench/slow_links.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "comm/bench/statistics.h"

namespace trireme::comm::bench {
namespace {

/// Something that may be to blame: a node, two nodes' link, or a rank.
struct Candidate {
  std::string words;
  std::function<bool(const PairResult&)> touches;
};

std::vector<Candidate> candidates(const std::vector<int>& node_of_rank) {
  const auto node = [&node_of_rank](int rank) { return node_of_rank[static_cast<std::size_t>(rank)]; };
  const int ranks = static_cast<int>(node_of_rank.size());
  const int nodes = ranks == 0 ? 0 : 1 + *std::max_element(node_of_rank.begin(), node_of_rank.end());
  std::vector<Candidate> all;
  for (int a = 0; a < nodes; ++a)
    for (int b = a + 1; b < nodes; ++b)
      all.push_back({fmt::format("the link between nodes {} and {}", a, b), [=](const PairResult& pair) {
                       return std::minmax(node(pair.from), node(pair.to)) == std::minmax(a, b);
                     }});
  for (int a = 0; a < nodes; ++a)
    all.push_back({fmt::format("the links of node {} to the others", a), [=](const PairResult& pair) {
                     return node(pair.from) != node(pair.to) && (node(pair.from) == a || node(pair.to) == a);
                   }});
  for (int a = 0; a < nodes; ++a) {
    all.push_back({fmt::format("what node {} sends to the others", a),
                   [=](const PairResult& pair) { return node(pair.from) == a && node(pair.to) != a; }});
    all.push_back({fmt::format("what node {} receives from the others", a),
                   [=](const PairResult& pair) { return node(pair.from) != a && node(pair.to) == a; }});
  }
  for (int rank = 0; rank < ranks; ++rank)
    all.push_back({fmt::format("rank {}", rank),
                   [=](const PairResult& pair) { return pair.from == rank || pair.to == rank; }});
  return all;
}

}  // namespace

std::vector<Verdict> judge(const std::vector<PairResult>& pairs, const std::vector<int>& node_of_rank,
                           const SlowLimits& limits) {
  std::vector<double> rates[2], latencies[2];
  const auto same_node = [&](const PairResult& pair) {
    return node_of_rank[static_cast<std::size_t>(pair.from)] ==
           node_of_rank[static_cast<std::size_t>(pair.to)];
  };
  for (const PairResult& pair : pairs) {
    rates[same_node(pair)].push_back(pair.gb_s);
    latencies[same_node(pair)].push_back(pair.latency_us);
  }
  std::vector<Verdict> verdicts;
  for (const PairResult& pair : pairs) {
    Verdict verdict;
    verdict.same_node = same_node(pair);
    verdict.usual_gb_s = upper_quartile_of(rates[verdict.same_node]);
    verdict.usual_latency_us = lower_quartile_of(latencies[verdict.same_node]);
    verdict.slow = pair.gb_s < limits.rate * verdict.usual_gb_s;
    verdict.late = pair.latency_us > std::max(limits.latency * verdict.usual_latency_us,
                                              verdict.usual_latency_us + limits.latency_slack_us);
    verdicts.push_back(verdict);
  }
  return verdicts;
}

std::vector<std::string> suspects(const std::vector<PairResult>& pairs, const std::vector<Verdict>& verdicts,
                                  bool Verdict::*measure, const std::vector<int>& node_of_rank) {
  std::vector<bool> unexplained;
  for (const Verdict& verdict : verdicts) unexplained.push_back(verdict.*measure);
  const std::vector<bool> fallen_out = unexplained;
  const auto all = candidates(node_of_rank);
  std::vector<std::string> named;
  for (;;) {
    // To blame is what explains most; among equals, what is named first and touches least.
    const Candidate* best = nullptr;
    int best_explained = 0;
    for (const Candidate& candidate : all) {
      int touched = 0, fallen = 0, explained = 0;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        if (!candidate.touches(pairs[i])) continue;
        ++touched, fallen += fallen_out[i], explained += unexplained[i];
      }
      const bool nearly_all_fell = fallen * 10 >= touched * 9;
      if (touched > 2 && nearly_all_fell && explained > best_explained)
        best = &candidate, best_explained = explained;
    }
    if (!best) break;
    named.push_back(best->words);
    for (std::size_t i = 0; i < pairs.size(); ++i)
      if (best->touches(pairs[i])) unexplained[i] = false;
  }
  for (std::size_t i = 0; i < pairs.size(); ++i)
    if (unexplained[i]) named.push_back(fmt::format("rank {} to rank {}", pairs[i].from, pairs[i].to));
  return named;
}

std::vector<std::vector<std::pair<int, int>>> pair_rounds(int ranks, bool at_once) {
  std::vector<std::vector<std::pair<int, int>>> rounds;
  // The circle method: one place stands still, the others turn; with an odd number one rank pauses each
  // round.
  const int places = ranks + ranks % 2;
  for (int turn = 0; turn + 1 < places; ++turn) {
    std::vector<std::pair<int, int>> round;
    for (int i = 0; i < places / 2; ++i) {
      const int a = i == 0 ? places - 1 : (turn + i) % (places - 1);
      const int b = (turn + places - 1 - i) % (places - 1);
      if (a >= ranks || b >= ranks) continue;
      round.push_back(std::minmax(a, b));
    }
    if (at_once) {
      rounds.push_back(std::move(round));
    } else {
      for (const auto& pair : round) rounds.push_back({pair});
    }
  }
  return rounds;
}

}  // namespace trireme::comm::bench
