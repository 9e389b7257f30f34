#include "comm/threads/thread_world.h"
#include "tests/comm/conformance.h"

namespace trireme::comm::tests {
namespace {

std::vector<ConformanceTarget> thread_targets() {
  std::vector<ConformanceTarget> targets;
  for (const int ranks : {1, 2, 3, 4, 5})
    targets.push_back(
        {"Threads" + std::to_string(ranks), "shm", [ranks](const auto& body) { run_ranks(ranks, body); }});
  targets.push_back({"TwoPretendedNodes", "auto", [](const auto& body) { run_ranks(3, body, {0, 0, 1}); }});
  return targets;
}

INSTANTIATE_TEST_SUITE_P(Shm, Conformance, testing::ValuesIn(thread_targets()), name_of_target);

}  // namespace
}  // namespace trireme::comm::tests
