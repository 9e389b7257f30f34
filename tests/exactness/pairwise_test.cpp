#include <gtest/gtest.h>

#include "sharding/presets.h"
#include "tests/exactness/run.h"

namespace trireme::exactness {
namespace {

const char* const folder = TRIREME_GOLDEN "/reference";

TEST(ExactnessMatrix, FewCasesHoldAllPairsOfSettings) {
  const auto cases = pairwise(all_cases());
  EXPECT_LE(cases.size(), 60u);
  for (const std::string_view preset : sharding::preset_names()) {
    if (preset == "fsdp_full" || preset == "mics") continue;
    for (const int ranks : {2, 3, 4, 6})
      EXPECT_TRUE(std::any_of(cases.begin(), cases.end(),
                              [&](const Case& one) { return one.preset == preset && one.ranks == ranks; }))
          << preset << " on " << ranks;
  }
}

TEST(ExactnessMatrix, TheyFollowOneRank) {
  References references(folder);
  for (const Case& one : pairwise(all_cases())) {
    const Difference found = references.from(one, train(one, folder));
    EXPECT_LE(found.loss, allowed(one).loss) << name_of(one);
    EXPECT_LE(found.parameters, allowed(one).parameters) << name_of(one);
  }
}

TEST(ExactnessMatrix, QuantisedWiresAreNotExact) {
  const Case one{.preset = "zeropp", .ranks = 4};
  EXPECT_GT(References(folder).from(one, train(one, folder)).loss, 1e-7);
}

}  // namespace
}  // namespace trireme::exactness
