#include <algorithm>

#include <fmt/format.h>

#include "comm/watchdog/blame.h"
#include "comm/watchdog/judge.h"
#include "comm/watchdog/signature.h"

namespace trireme::comm {
namespace {

double seconds(Milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::string phase_of(const RankView& rank) {
  if (rank.presence == Presence::absent) return "; its node's watchdog does not answer";
  if (rank.stopped) return "; it is stopped by a signal";
  const auto name = view_of(rank.phase.name);
  return name.empty() ? "" : fmt::format("; it has been in '{}' for {:.1f} s", name, seconds(rank.phase_age));
}

bool makes_a_call(const RankView& rank) {
  return std::any_of(rank.calls.begin(), rank.calls.end(),
                     [](const CallView& call) { return call.state.active != 0; });
}

/// A phase with a limit of its own may take that long, whoever waits.
bool excused(const RankView& rank) {
  return rank.phase.limit_ms > 0 && rank.phase_age.count() < rank.phase.limit_ms;
}

std::string sentence(const Blame& blame, const Verdict& verdict) {
  const RankView& culprit = *blame.culprit;
  std::string operation =
      fmt::format("{} (operation {} of '{}')", verdict.operation, verdict.sequence, verdict.communicator);
  const double waited = seconds(blame.wait.call->age);
  const RankView& waiter = *blame.wait.waiter;
  switch (blame.kind) {
    case Blame::Kind::idle:
    case Blame::Kind::stopped_inside:
      return fmt::format("rank {} on {} {} {}, in which rank {} has waited for {:.1f} s{}", culprit.rank,
                         culprit.host, blame.kind == Blame::Kind::idle ? "has not begun" : "does not end",
                         operation, waiter.rank, waited, phase_of(culprit));
    case Blame::Kind::circle:
      return fmt::format(
          "rank {} on {} and rank {} wait for each other: {} has waited for {:.1f} s; do all ranks make "
          "their calls in the same order?",
          culprit.rank, culprit.host, waiter.rank, operation, waited);
    case Blame::Kind::inside:
      if (&waiter != &culprit) {
        return fmt::format(
            "rank {} on {} has not begun {}, in which rank {} has waited for {:.1f} s; it is in another "
            "operation",
            culprit.rank, culprit.host, operation, waiter.rank, waited);
      }
      return fmt::format(
          "{} does not end on rank {} on {} after {:.1f} s although every rank has begun it: look at the "
          "network between the nodes",
          operation, culprit.rank, culprit.host, waited);
  }
  return operation;
}

struct Blocked {
  const RankView* rank;
  const CallView* call;
};

std::vector<Blocked> blocked_calls(std::span<const RankView> ranks, Milliseconds limit) {
  constexpr std::size_t enough = 64;
  std::vector<Blocked> blocked;
  for (const RankView& rank : ranks) {
    if (rank.presence != Presence::running) continue;
    for (const CallView& call : rank.calls)
      if (call.state.active && call.age >= limit) blocked.push_back({&rank, &call});
  }
  std::stable_sort(blocked.begin(), blocked.end(),
                   [](const Blocked& a, const Blocked& b) { return a.call->age > b.call->age; });
  if (blocked.size() > enough) blocked.resize(enough);
  return blocked;
}

Verdict verdict_on(const RankView& culprit) {
  Verdict verdict;
  verdict.reason = Reason::hang;
  verdict.code = ExitCode::hang;
  verdict.rank = culprit.rank;
  verdict.node = culprit.host;
  return verdict;
}

/// A phase that outlives the limit that it was given itself, with nobody waiting or somebody.
std::optional<Verdict> judge_phases(std::span<const RankView> ranks) {
  for (const RankView& rank : ranks) {
    const bool overdue = rank.phase.limit_ms > 0 && rank.phase_age.count() >= rank.phase.limit_ms;
    if (rank.presence != Presence::running || !overdue || makes_a_call(rank)) continue;
    Verdict verdict = verdict_on(rank);
    verdict.operation = std::string(view_of(rank.phase.name));
    if (const auto wait = WaitGraph(ranks).oldest_wait_for(rank)) name_operation(verdict, *wait);
    verdict.message = fmt::format("rank {} on {} has been in '{}' for {:.1f} s, whose limit is {:.1f} s",
                                  rank.rank, rank.host, view_of(rank.phase.name), seconds(rank.phase_age),
                                  static_cast<double>(rank.phase.limit_ms) / 1000);
    return verdict;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Verdict> judge_hang(std::span<const RankView> ranks, const Limits& limits) {
  if (auto verdict = judge_phases(ranks)) return verdict;
  const WaitGraph graph(ranks);
  for (const Blocked& blocked : blocked_calls(ranks, limits.call)) {
    const Blame blame = graph.follow(*blocked.rank, *blocked.call);
    if (excused(*blame.culprit)) continue;
    Verdict verdict = verdict_on(*blame.culprit);
    if (blame.culprit->presence == Presence::absent)
      verdict.reason = Reason::node_lost, verdict.code = ExitCode::requeue;
    if (blame.culprit->stopped) verdict.reason = Reason::stopped;
    name_operation(verdict, blame.wait);
    verdict.message = sentence(blame, verdict);
    return verdict;
  }
  return std::nullopt;
}

}  // namespace trireme::comm
