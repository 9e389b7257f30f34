#pragma once
#include <string>
#include <vector>

#include "comm/bench/pair_link.h"
#include "comm/bench/slow_links.h"

namespace trireme::comm::bench {

struct PairOptions {
  std::size_t message_bytes = std::size_t{1} << 20;
  /// Disjoint pairs at the same time: quicker, but pairs that share a link share its rate.
  bool at_once = false;
  int repeats = 3;
  double block_seconds = 0.02;
  /// Pairs that fall out are measured this many times more, and the best counts: a disturbance passes, a slow
  /// link stays.
  int second_looks = 2;
  SlowLimits limits;
};

/// Every direction between any two ranks, the same on all ranks. Ranks that are not being measured sleep.
std::vector<PairResult> measure_pairs(PairLink& link, const Everyone& everyone,
                                      const std::vector<int>& node_of_rank, const PairOptions& options);

/// What is said of the pairs of one link.
struct PairReport {
  std::string backend;
  std::size_t message_bytes = 0;
  std::vector<int> node_of_rank;
  std::vector<std::string> host_of_rank;
  std::vector<PairResult> pairs;
  std::vector<Verdict> verdicts;
};

std::string text_of(const PairReport& report);
/// One line a direction, with the fields of a collective's record: time is that of one message of a stream,
/// limit what is usual in its class.
std::vector<std::string> json_of(const PairReport& report);

}  // namespace trireme::comm::bench
