#include <gtest/gtest.h>
#include <signal.h>

#include "jobs/launch/outcome.h"

namespace trireme::jobs {
namespace {

using comm::FailureStatus;
using comm::Reason;

struct Case {
  const char* what;
  LauncherEnd end;
  std::optional<Reason> reason;
  ExitCode code;
  std::optional<int> signal;
  int expected;
  bool rewritten;
};

class OutcomeOf : public testing::TestWithParam<Case> {};

TEST_P(OutcomeOf, SaysWhatToDoNext) {
  const Case& one = GetParam();
  std::optional<FailureStatus> failure;
  if (one.reason) {
    failure.emplace();
    failure->verdict.reason = *one.reason;
    failure->verdict.code = one.code;
    failure->verdict.rank = 2;
  }
  const Outcome outcome = outcome_of(one.end, failure, one.signal);
  EXPECT_EQ(outcome.exit_code, one.expected);
  EXPECT_EQ(outcome.verdict.has_value(), one.rewritten);
  if (outcome.verdict) {
    EXPECT_EQ(static_cast<int>(outcome.verdict->code), one.expected);
    EXPECT_FALSE(outcome.verdict->message.empty());
  }
  if (outcome.verdict && failure && !one.signal) {
    EXPECT_EQ(outcome.verdict->rank, 2);
  }
}

constexpr auto none = std::nullopt;
INSTANTIATE_TEST_SUITE_P(
    Table, OutcomeOf,
    testing::Values(
        Case{"success", {0, 0}, none, ExitCode::done, none, 0, false},
        Case{"own code", {76, 0}, none, ExitCode::done, none, 76, true},
        Case{"killed without watchdog", {137, 0}, none, ExitCode::done, none, 75, true},
        Case{"crashed without watchdog", {139, 0}, none, ExitCode::done, none, 70, true},
        Case{"mpirun killed", {0, SIGKILL}, none, ExitCode::done, none, 75, true},
        Case{"mpirun crashed", {0, SIGSEGV}, none, ExitCode::done, none, 70, true},
        Case{"hang", {124, 0}, Reason::hang, ExitCode::hang, none, 124, false},
        Case{"stopped rank killed", {137, 0}, Reason::stopped, ExitCode::hang, none, 124, false},
        Case{"mismatch", {70, 0}, Reason::mismatch, ExitCode::internal, none, 70, false},
        Case{"death by kill", {137, 0}, Reason::rank_died, ExitCode::requeue, none, 75, true},
        Case{"death by crash", {134, 0}, Reason::rank_died, ExitCode::requeue, none, 70, true},
        Case{"death by exit", {3, 0}, Reason::rank_died, ExitCode::requeue, none, 3, true},
        Case{"node lost", {137, 0}, Reason::node_lost, ExitCode::requeue, none, 75, false},
        Case{"error", {76, 0}, Reason::error, ExitCode::damaged, none, 76, false},
        Case{"cancelled", {143, 0}, Reason::rank_died, ExitCode::requeue, SIGTERM, 128 + SIGTERM, true},
        Case{"cancelled, mpirun says 1", {1, 0}, none, ExitCode::done, SIGTERM, 128 + SIGTERM, true},
        Case{"cancelled, saved and asks for another try", {75, 0}, none, ExitCode::done, SIGTERM, 75, true},
        Case{"cancelled but done", {0, 0}, none, ExitCode::done, SIGTERM, 0, false},
        Case{"cancelled while hung", {137, 0}, Reason::hang, ExitCode::hang, SIGTERM, 124, false}),
    [](const auto& instance) {
      std::string name = instance.param.what;
      for (char& letter : name)
        if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
      return name;
    });

}  // namespace
}  // namespace trireme::jobs
