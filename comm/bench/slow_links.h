#pragma once
#include <string>
#include <utility>
#include <vector>

namespace trireme::comm::bench {

/// One direction between two ranks, as measured.
struct PairResult {
  int from = 0;
  int to = 0;
  double latency_us = 0;
  double gb_s = 0;
};

/// What counts as falling out: a rate below this part of what is usual in the pair's class, a latency above
/// this multiple.
struct SlowLimits {
  double rate = 0.7;
  double latency = 2.0;
  /// A latency this little above the usual never falls out: clocks and interrupts make as much.
  double latency_slack_us = 0.5;
};

/// A pair beside the others of its class: those inside a node, or those across nodes. Usual is what the best
/// quarter of the class reaches: not the median, since one bad node of four spoils half of all pairs.
struct Verdict {
  bool same_node = false;
  double usual_latency_us = 0;
  double usual_gb_s = 0;
  bool slow = false;
  bool late = false;

  bool falls_out() const { return slow || late; }
};

std::vector<Verdict> judge(const std::vector<PairResult>& pairs, const std::vector<int>& node_of_rank,
                           const SlowLimits& limits);

/// What the pairs that fall out by one measure (slow or late) have in common, each in words: "the links of
/// node 2 to the others", "the link between nodes 0 and 2", "rank 5", or a pair by itself. Each measure by
/// itself: latencies on busy hosts are noise beside which a slow link's one direction would not be seen.
std::vector<std::string> suspects(const std::vector<PairResult>& pairs, const std::vector<Verdict>& verdicts,
                                  bool Verdict::*measure, const std::vector<int>& node_of_rank);

/// Every pair of ranks once. One pair a round, or as many disjoint ones as there are.
std::vector<std::vector<std::pair<int, int>>> pair_rounds(int ranks, bool at_once);

}  // namespace trireme::comm::bench
