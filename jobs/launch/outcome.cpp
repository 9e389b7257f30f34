#include "jobs/launch/outcome.h"

#include <algorithm>
#include <array>

#include <signal.h>
#include <string.h>

#include "core/error.h"

namespace trireme::jobs {
namespace {

constexpr int signal_base = 128;

bool is_crash(int signal) {
  constexpr std::array crashes{SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
  return std::find(crashes.begin(), crashes.end(), signal) != crashes.end();
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

comm::Verdict unexplained(int code, comm::Reason reason, std::string message) {
  comm::Verdict verdict;
  verdict.reason = reason;
  verdict.code = static_cast<ExitCode>(code);
  verdict.message = std::move(message);
  return verdict;
}

Outcome with_verdict(const LauncherEnd& end, const comm::Verdict& verdict) {
  Outcome outcome{static_cast<int>(verdict.code), std::nullopt};
  if (verdict.reason != comm::Reason::rank_died || end.status == 0) return outcome;
  const int signal = end.status > signal_base ? end.status - signal_base : 0;
  std::string how;
  if (is_crash(signal)) {
    outcome.exit_code = static_cast<int>(ExitCode::internal);
    how = fmt::format("; it crashed with {}", signal_name(signal));
  } else if (signal == 0 && end.status != outcome.exit_code) {
    outcome.exit_code = end.status;
    how = fmt::format("; it ended by itself with {}", end.status);
  } else if (signal != 0) {
    how = fmt::format("; it was ended by {}", signal_name(signal));
  } else {
    return outcome;
  }
  outcome.verdict = verdict;
  outcome.verdict->code = static_cast<ExitCode>(outcome.exit_code);
  outcome.verdict->message += how;
  return outcome;
}

}  // namespace

Outcome outcome_of(const LauncherEnd& end, const std::optional<comm::FailureStatus>& failure,
                   std::optional<int> passed_on_signal) {
  const bool ended_by_us = passed_on_signal && (end.signal != 0 || end.status != 0);
  // 1 is what mpirun itself ends with when a signal made it end the ranks.
  const bool own_code = end.signal == 0 && end.status > 1 && end.status < signal_base;
  if (ended_by_us && !(own_code && !failure)) {
    // Ranks that die of a signal that was passed on look like deaths to the watchdogs.
    const bool blames_a_death = !failure || failure->verdict.reason == comm::Reason::rank_died ||
                                failure->verdict.reason == comm::Reason::node_lost ||
                                failure->verdict.reason == comm::Reason::launcher_lost;
    if (blames_a_death) {
      const int code = signal_base + *passed_on_signal;
      return {code, unexplained(code, comm::Reason::error,
                                fmt::format("the run was ended by {}", signal_name(*passed_on_signal)))};
    }
  }
  if (failure) return with_verdict(end, failure->verdict);
  if (end.signal != 0) {
    const int code = static_cast<int>(is_crash(end.signal) ? ExitCode::internal : ExitCode::requeue);
    return {code,
            unexplained(code, comm::Reason::launcher_lost,
                        fmt::format("the launcher of the ranks was ended by {}", signal_name(end.signal)))};
  }
  if (end.status > signal_base) {
    const int signal = end.status - signal_base;
    const int code = static_cast<int>(is_crash(signal) ? ExitCode::internal : ExitCode::requeue);
    return {code, unexplained(code, comm::Reason::rank_died,
                              fmt::format("a rank was ended by {} before or without a watchdog",
                                          signal_name(signal)))};
  }
  if (end.status != 0)
    return {end.status,
            unexplained(end.status, comm::Reason::error,
                        fmt::format("the ranks ended with {}; their output says why", end.status))};
  return {};
}

}  // namespace trireme::jobs
