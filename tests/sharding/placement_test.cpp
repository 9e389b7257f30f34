#include "sharding/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "sharding/presets.h"

namespace trireme::sharding {
namespace {

using testing::HasSubstr;

TEST(Presets, EveryRowFitsTheWorldsItShould) {
  for (const auto name : preset_names()) {
    for (const Extent extent : {Extent{1, 1}, Extent{2, 2}, Extent{3, 3}, Extent{6, 3}, Extent{8, 4},
                                Extent{7, 1}, Extent{16384, 8}}) {
      EXPECT_TRUE(misfits(preset(name), extent).empty()) << name << " on " << extent.world;
    }
  }
}

TEST(Presets, SaysWhichNamesThereAre) {
  try {
    preset("zero4");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_THAT(error.what(), HasSubstr("zero4"));
    EXPECT_THAT(error.what(), HasSubstr("zero3"));
  }
}

TEST(Placement, NamesTheNearestSpanThatDividesTheWorld) {
  Placement placement = preset("hsdp");
  placement.parameters.span = placement.gradients.span = placement.optimizer.span = Span::of(4);
  const auto found = misfits(placement, {6, 6});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_THAT(found[0].what, HasSubstr("split over 4 ranks, which does not divide the 6"));
  EXPECT_EQ(found[0].nearest, "placement.parameters.span=3");
  placement.parameters.span = placement.gradients.span = placement.optimizer.span = Span::of(3);
  EXPECT_TRUE(misfits(placement, {6, 6}).empty());
}

TEST(Placement, RefusesGradientsThatTheOptimizerWouldLack) {
  Placement placement = preset("zero3");
  placement.optimizer.span = Span::of(2);
  const auto found = misfits(placement, {4, 4});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].nearest, "placement.gradients.span=2");
}

TEST(Placement, RefusesSpansThatOverlapInPart) {
  Placement placement = preset("zero3");
  placement.parameters.span = Span::of(2);
  placement.gradients.span = placement.optimizer.span = Span::of(3);
  const auto found = misfits(placement, {6, 6});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].nearest, "placement.parameters.span=3");
  EXPECT_THROW(require_fits(placement, {6, 6}), Error);
}

TEST(Placement, WhatItAdvisesForASpanFits) {
  for (int world = 1; world <= 12; ++world) {
    for (int parameters = 1; parameters <= world; ++parameters) {
      for (int optimizer = 1; optimizer <= world; ++optimizer) {
        Placement placement = preset("zero3");
        placement.parameters.span = Span::of(parameters);
        placement.gradients.span = placement.optimizer.span = Span::of(optimizer);
        for (int round = 0; round < 4; ++round) {
          const auto found = misfits(placement, {world, 1});
          if (found.empty()) break;
          const std::string& advice = found.front().nearest;
          const Span span = *Span::from_name(advice.substr(advice.find('=') + 1));
          if (advice.starts_with("placement.parameters")) placement.parameters.span = span;
          if (advice.starts_with("placement.gradients")) placement.gradients.span = span;
          if (advice.starts_with("placement.optimizer")) placement.optimizer.span = span;
        }
        EXPECT_TRUE(misfits(placement, {world, 1}).empty()) << world << ' ' << parameters << ' ' << optimizer;
      }
    }
  }
}

TEST(Placement, RefusesCodecsAndTiersThatCannotBe) {
  Placement placement = preset("zero3");
  placement.parameters.codec = Codec::nf4;
  placement.gradients.tier = Tier::nvme;
  placement.gradients.wire = Wire::int8;
  const auto found = misfits(placement, {2, 2});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].nearest, "placement.parameters.codec=bf16");
}

TEST(Names, RoundTrip) {
  for (const auto tier : {Tier::device, Tier::host, Tier::nvme})
    EXPECT_EQ(tier_from_name(name_of(tier)), tier);
  for (const auto wire : {Wire::raw, Wire::int8, Wire::int4_two_hop})
    EXPECT_EQ(wire_from_name(name_of(wire)), wire);
  for (const Span span : {Span::one(), Span::node(), Span::world(), Span::of(12)})
    EXPECT_EQ(Span::from_name(span.name()), span);
  EXPECT_EQ(Span::from_name("0"), std::nullopt);
  EXPECT_EQ(Span::from_name("4x"), std::nullopt);
  EXPECT_EQ(codec_from_name("nf5"), std::nullopt);
}

}  // namespace
}  // namespace trireme::sharding
