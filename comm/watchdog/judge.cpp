#include "comm/watchdog/judge.h"

#include <algorithm>

#include <fmt/format.h>

#include "comm/watchdog/blame.h"
#include "comm/watchdog/signature.h"

namespace trireme::comm {
namespace {

bool is_later(const CallView& call, const CallView& other) {
  return call.state.communicator == other.state.communicator && call.state.sequence > other.state.sequence;
}

/// What a rank that is no more, or no longer answers, leaves undone: the call that it is in, or a later one
/// that others miss it in, as news of it may be old; else the one after its last.
void name_unfinished(Verdict& verdict, const RankView& culprit, std::span<const RankView> ranks) {
  const WaitGraph graph(ranks);
  const auto wait = graph.oldest_wait_for(culprit);
  for (const CallView& call : culprit.calls)
    if (call.state.active && !(wait && (culprit.presence == Presence::lost || is_later(*wait->call, call))))
      return name_operation(verdict, graph.wait_of(culprit, call));
  if (wait) return name_operation(verdict, *wait);
  const auto latest = std::max_element(
      culprit.calls.begin(), culprit.calls.end(),
      [](const CallView& a, const CallView& b) { return a.state.ended_ns < b.state.ended_ns; });
  if (latest == culprit.calls.end() || latest->state.signature == 0) {
    verdict.operation = "before its first operation";
    return;
  }
  verdict.operation = "after " + Signature(latest->state.signature).describe();
  verdict.communicator = std::string(view_of(latest->state.name));
  verdict.sequence = latest->state.sequence + 1;
}

std::string at_operation(const Verdict& verdict) {
  if (verdict.communicator.empty()) return verdict.operation;
  return fmt::format("{}, operation {} of '{}'", verdict.operation, verdict.sequence, verdict.communicator);
}

bool whole_node(std::span<const RankView> ranks, int node, auto&& condition) {
  return std::all_of(ranks.begin(), ranks.end(),
                     [&](const RankView& rank) { return rank.node != node || condition(rank); });
}

bool settled(const RankView& rank, std::span<const RankView> ranks, const Limits& limits) {
  if (rank.presence_age >= limits.settle) return true;
  const bool in_call = std::any_of(rank.calls.begin(), rank.calls.end(),
                                   [](const CallView& call) { return call.state.active != 0; });
  return rank.presence != Presence::failed && (in_call || WaitGraph(ranks).oldest_wait_for(rank));
}

Verdict verdict_on_failure(const RankView& rank, std::span<const RankView> ranks) {
  Verdict verdict;
  verdict.reason = Reason::error;
  verdict.code = static_cast<ExitCode>(rank.failure.code);
  verdict.rank = rank.rank;
  verdict.node = rank.host;
  name_unfinished(verdict, rank, ranks);
  verdict.message = fmt::format("rank {} on {} failed: {} ({})", rank.rank, rank.host,
                                view_of(rank.failure.message), at_operation(verdict));
  return verdict;
}

Verdict verdict_on_death(const RankView& rank, std::span<const RankView> ranks) {
  Verdict verdict;
  verdict.reason = rank.presence == Presence::lost ? Reason::node_lost : Reason::rank_died;
  verdict.code = ExitCode::requeue;
  verdict.rank = rank.rank;
  verdict.node = rank.host;
  name_unfinished(verdict, rank, ranks);
  verdict.message = verdict.reason == Reason::node_lost
                        ? fmt::format("node {} with rank {} is lost: no process of it answers ({})",
                                      rank.host, rank.rank, at_operation(verdict))
                        : fmt::format("rank {} on {} died ({})", rank.rank, rank.host, at_operation(verdict));
  return verdict;
}

}  // namespace

std::optional<Verdict> judge_absence(std::span<const RankView> ranks, const Limits& limits) {
  for (const Presence presence : {Presence::dead, Presence::lost, Presence::failed}) {
    for (const RankView& rank : ranks) {
      if (rank.presence != presence || !settled(rank, ranks, limits)) continue;
      return presence == Presence::failed ? verdict_on_failure(rank, ranks) : verdict_on_death(rank, ranks);
    }
  }
  return std::nullopt;
}

std::optional<Verdict> judge_silence(std::span<const RankView> ranks, const Limits& limits) {
  const auto silent = [&](const RankView& rank) {
    return rank.presence == Presence::running && rank.beat_age >= limits.call;
  };
  const RankView* culprit = nullptr;
  for (const RankView& rank : ranks)
    if (silent(rank) && (!culprit || (rank.stopped && !culprit->stopped))) culprit = &rank;
  if (!culprit) return std::nullopt;
  Verdict verdict;
  verdict.rank = culprit->rank;
  verdict.node = culprit->host;
  name_unfinished(verdict, *culprit, ranks);
  const double silence = std::chrono::duration<double>(culprit->beat_age).count();
  if (!culprit->stopped && whole_node(ranks, culprit->node, silent)) {
    verdict.reason = Reason::node_lost;
    verdict.code = ExitCode::requeue;
    verdict.message = fmt::format("node {} with rank {} has been silent for {:.1f} s ({})", culprit->host,
                                  culprit->rank, silence, at_operation(verdict));
  } else {
    verdict.reason = Reason::stopped;
    verdict.code = ExitCode::hang;
    verdict.message =
        fmt::format("rank {} on {} {} for {:.1f} s ({})", culprit->rank, culprit->host,
                    culprit->stopped ? "has been stopped by a signal" : "has given no sign of life", silence,
                    at_operation(verdict));
  }
  return verdict;
}

std::optional<Verdict> judge(std::span<const RankView> ranks, const Limits& limits) {
  Milliseconds waited{0};
  bool failed = false;
  for (const RankView& rank : ranks) {
    if (rank.presence == Presence::failed) failed = true, waited = std::max(waited, rank.presence_age);
    for (const CallView& call : rank.calls)
      if (call.state.active) waited = std::max(waited, call.age);
  }
  // Calls that do not match make some ranks fail, die or wait: they are the cause and are named first.
  if (failed || waited >= limits.suspicion)
    if (auto mismatch = judge_mismatch(ranks)) {
      if (mismatch->decided || waited >= limits.suspicion + limits.hearsay)
        return std::move(mismatch->verdict);
      return std::nullopt;
    }
  if (auto verdict = judge_absence(ranks, limits)) return verdict;
  if (auto verdict = judge_silence(ranks, limits)) return verdict;
  return judge_hang(ranks, limits);
}

}  // namespace trireme::comm
