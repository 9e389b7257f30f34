#include "comm/doctor/node_links.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "comm/bench/everyone.h"
#include "comm/bench/slow_links.h"

namespace trireme::comm::doctor {
namespace {

constexpr int message_bytes = 8 << 20, repeats = 3;
constexpr std::size_t partners = 4;
/// Other jobs on the fabric take a part of it; a broken cable or a wrong interface most.
constexpr double healthy_share = 0.3;

/// Both at once; the best of a few, since a disturbance passes and a slow link stays.
double exchange_rate(const bench::Everyone& everyone, int other, std::vector<char>& out,
                     std::vector<char>& in) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    const auto begin = Clock::now();
    check_mpi(MPI_Sendrecv(out.data(), message_bytes, MPI_BYTE, other, 0, in.data(), message_bytes, MPI_BYTE,
                           other, 0, everyone.handle(), MPI_STATUS_IGNORE),
              "MPI_Sendrecv");
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (repeat > 0) best = std::max(best, 2.0 * message_bytes / seconds / 1e9);
  }
  return best;
}

}  // namespace

std::vector<double> measure_node_links(const MpiRuntime&) {
  const bench::Everyone everyone;
  std::vector<double> best(static_cast<std::size_t>(everyone.size()));
  if (everyone.size() < 2) return best;
  std::vector<char> out(message_bytes, 1), in(message_bytes);
  auto rounds = bench::pair_rounds(everyone.size(), true);
  if (rounds.size() > partners) rounds.resize(partners);
  double mine = 0;
  for (const auto& round : rounds) {
    for (const auto& [a, b] : round)
      if (everyone.rank() == a || everyone.rank() == b)
        mine = std::max(mine, exchange_rate(everyone, everyone.rank() == a ? b : a, out, in));
    everyone.sleepy_barrier();
  }
  best[static_cast<std::size_t>(everyone.rank())] = mine;
  everyone.add_up(best);
  return best;
}

double usual_of_others(const std::vector<double>& rates, std::size_t node) {
  std::vector<double> others = rates;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(node));
  if (others.size() < 2) return 0;
  std::sort(others.begin(), others.end());
  return others[others.size() * 3 / 4];
}

Finding judge_node_link(double gb_s, double usual_gb_s, double best_before_gb_s, int nodes) {
  if (nodes < 2) return ok("link", "one node");
  const std::string found = fmt::format("{:.2f} GB/s with the best of its partners", gb_s);
  if (usual_gb_s > 0 && gb_s < healthy_share * usual_gb_s)
    return problem("link", fmt::format("{}, where the others reach {:.2f}", found, usual_gb_s),
                   "look at its cable, port and interface");
  if (best_before_gb_s > 0 && gb_s < healthy_share * best_before_gb_s) {
    const std::string before = fmt::format("{}, and {:.2f} before", found, best_before_gb_s);
    const char* advice = "look at its cable, port and interface";
    // Two slow nodes of two: either may be the cause.
    return nodes > 2 ? problem("link", before, advice) : warning("link", before, advice);
  }
  return ok("link", found);
}

}  // namespace trireme::comm::doctor
