#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/planning.h"

namespace trireme::model {
namespace {

using namespace sharding;

TEST(Search, NamesTheFastestThatFitsAndWhyOthersDoNot) {
  const Planning planning("llama-3-8b", 2048);
  Choices choices;
  choices.rows_per_step = 4;
  choices.other_tiers = false;
  for (const std::string_view name : preset_names()) choices.presets.emplace_back(name);
  const Machine machine = known_machine("a100-40g");
  const Ranking ranking = search(planning.subject, machine, {8, 8}, choices);
  ASSERT_TRUE(ranking.best());
  for (const Forecast& each : ranking.fitting) {
    EXPECT_LE(static_cast<double>(device_bytes(each)), machine.memory_bytes);
    EXPECT_GE(each.step_s, ranking.fitting.front().step_s);
  }
  EXPECT_TRUE(ranking.best()->not_yet.empty());
  const auto ddp = std::find_if(ranking.lacking.begin(), ranking.lacking.end(),
                                [](const Forecast& each) { return each.setting.placement.name == "ddp"; });
  ASSERT_NE(ddp, ranking.lacking.end());
  EXPECT_THAT(ddp->reason, testing::HasSubstr("optimizer state"));

  const auto nearest = nearest_that_fits(planning.subject, machine, setting_of("ddp", {8, 8}, 4), choices);
  ASSERT_TRUE(nearest);
  EXPECT_TRUE(nearest->fits);
}

TEST(Search, LeavesAttentionOutOfRecomputationWhereThatIsWhatFits) {
  const Planning planning("llama-3-8b", 8192);
  Choices choices;
  choices.rows_per_step = 2;
  choices.other_tiers = false;
  choices.presets = {"zero3"};
  const Machine machine = known_machine("a100-40g");
  const Ranking all = search(planning.subject, machine, {8, 8}, choices);
  choices.activations = {Activations::kept, Activations::recomputed};
  const Ranking fewer = search(planning.subject, machine, {8, 8}, choices);
  ASSERT_TRUE(all.best() && fewer.best());
  EXPECT_EQ(all.settings_tried, fewer.settings_tried / 2 * 3);
  EXPECT_EQ(all.best()->setting.options.activations, Activations::recomputed_except_attention);
  EXPECT_LT(all.best()->step_s, fewer.best()->step_s);
}

/// The best of one placement, and without what takes load off the device.
std::pair<std::optional<Forecast>, std::optional<Forecast>> with_and_without_relief(const char* name,
                                                                                    std::int64_t sequence,
                                                                                    const Extent& extent) {
  const Planning planning("llama-3-8b", sequence);
  Choices choices;
  choices.rows_per_step = 1;
  choices.presets = {name};
  const Machine machine = known_machine("rtx4090");
  const auto relieved = search(planning.subject, machine, extent, choices).best();
  choices.other_tiers = false;
  return {relieved, search(planning.subject, machine, extent, choices).best()};
}

TEST(Search, PutsUnitsInputsOnTheHostWhereThatIsWhatFits) {
  const auto [relieved, plain] = with_and_without_relief("zero3", 24576, {8, 8});
  EXPECT_FALSE(plain);
  ASSERT_TRUE(relieved);
  EXPECT_EQ(relieved->setting.placement.activation_tier, Tier::host);
  EXPECT_EQ(relieved->setting.options.input_tier, Tier::host);
  EXPECT_GT(relieved->memory.of("parked unit inputs"), 0u);
}

TEST(Search, PagesOptimizerStateWhereThatIsWhatFits) {
  const auto [relieved, plain] = with_and_without_relief("zero3", 512, {4, 4});
  EXPECT_FALSE(plain);
  ASSERT_TRUE(relieved);
  EXPECT_EQ(relieved->setting.placement.optimizer.tier, Tier::host);
  ASSERT_TRUE(relieved->setting.placement.device_state_bytes);
  const TierBytes totals = relieved->memory.totals();
  EXPECT_GT(totals[static_cast<std::size_t>(Tier::host)], 0u);
  EXPECT_FALSE(relieved->state_places.empty());
}

}  // namespace
}  // namespace trireme::model
