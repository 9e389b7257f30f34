#include "comm/bench/pair_bench.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <set>

#include "comm/bench/statistics.h"

namespace trireme::comm::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Work = std::function<void(int times)>;

double seconds_of(const Work& work, int times) {
  const auto begin = Clock::now();
  work(times);
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Seconds for one of `work`, on the leader; the follower does as many as the leader says.
class PairTimer {
 public:
  PairTimer(const Everyone& everyone, int peer, bool leads, const PairOptions& options)
      : everyone_(everyone), peer_(peer), leads_(leads), options_(options) {}

  double seconds_each(const Work& work) const {
    int times = 1;
    double once = seconds_of(work, times);
    // Doubling to a measurable time passes the first messages, which set up the connection.
    while (agreed(once < options_.block_seconds / 4 && times < (1 << 20))) {
      times *= 2;
      once = seconds_of(work, times);
    }
    std::vector<double> each;
    for (int repeat = 0; repeat < options_.repeats; ++repeat) each.push_back(seconds_of(work, times) / times);
    return median_of(each);
  }

 private:
  bool agreed(bool go_on) const {
    int word = go_on;
    if (leads_) {
      check_mpi(MPI_Send(&word, 1, MPI_INT, peer_, 2, everyone_.handle()), "MPI_Send");
    } else {
      check_mpi(MPI_Recv(&word, 1, MPI_INT, peer_, 2, everyone_.handle(), MPI_STATUS_IGNORE), "MPI_Recv");
    }
    return word != 0;
  }

  const Everyone& everyone_;
  int peer_;
  bool leads_;
  const PairOptions& options_;
};

PairResult measure_pair(PairLink& link, const Everyone& everyone, int from, int to,
                        const PairOptions& options) {
  const bool leads = everyone.rank() == from;
  const int peer = leads ? to : from;
  const PairTimer timer(everyone, peer, leads, options);
  const double exchange = timer.seconds_each([&](int times) { link.exchange(peer, leads, times); });
  const double message = timer.seconds_each([&](int times) { link.stream(peer, leads, times); });
  return {from, to, exchange / link.transfers_per_exchange() * 1e6,
          static_cast<double>(options.message_bytes) / message / 1e9};
}

using Round = std::vector<std::pair<int, int>>;

/// Each pair of each round in both directions. Every rank gets all results, those of other pairs as zeros.
std::vector<PairResult> measure_rounds(PairLink& link, const Everyone& everyone,
                                       const std::vector<Round>& rounds, const PairOptions& options) {
  const auto ranks = static_cast<std::size_t>(everyone.size());
  std::vector<double> latency(ranks * ranks), rate(ranks * ranks);
  for (const Round& round : rounds) {
    for (const auto& [a, b] : round)
      for (const auto& [from, to] : {std::pair{a, b}, std::pair{b, a}}) {
        if (everyone.rank() != from && everyone.rank() != to) continue;
        const PairResult result = measure_pair(link, everyone, from, to, options);
        if (everyone.rank() != from) continue;
        const std::size_t at = static_cast<std::size_t>(from) * ranks + static_cast<std::size_t>(to);
        latency[at] = result.latency_us, rate[at] = result.gb_s;
      }
    everyone.sleepy_barrier();
  }
  everyone.add_up(latency);
  everyone.add_up(rate);
  std::vector<PairResult> results;
  for (std::size_t from = 0; from < ranks; ++from)
    for (std::size_t to = 0; to < ranks; ++to)
      if (from != to)
        results.push_back({static_cast<int>(from), static_cast<int>(to), latency[from * ranks + to],
                           rate[from * ranks + to]});
  return results;
}

std::vector<Round> rounds_of_fallen(const std::vector<PairResult>& pairs,
                                    const std::vector<Verdict>& verdicts) {
  std::set<std::pair<int, int>> fallen;
  for (std::size_t i = 0; i < pairs.size(); ++i)
    if (verdicts[i].falls_out()) fallen.insert(std::minmax(pairs[i].from, pairs[i].to));
  std::vector<Round> rounds;
  for (const auto& pair : fallen) rounds.push_back({pair});
  return rounds;
}

}  // namespace

std::vector<PairResult> measure_pairs(PairLink& link, const Everyone& everyone,
                                      const std::vector<int>& node_of_rank, const PairOptions& options) {
  auto results = measure_rounds(link, everyone, pair_rounds(everyone.size(), options.at_once), options);
  for (int look = 0; look < options.second_looks; ++look) {
    const auto rounds = rounds_of_fallen(results, judge(results, node_of_rank, options.limits));
    if (rounds.empty()) break;
    const auto again = measure_rounds(link, everyone, rounds, options);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (again[i].gb_s == 0) continue;
      results[i].gb_s = std::max(results[i].gb_s, again[i].gb_s);
      results[i].latency_us = std::min(results[i].latency_us, again[i].latency_us);
    }
  }
  return results;
}

}  // namespace trireme::comm::bench
