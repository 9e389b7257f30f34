#include "io/data/mixture.h"

#include <algorithm>
#include <array>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/data/joined_documents.h"
#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using trireme::testing::message_of;

std::shared_ptr<const Documents> numbered(std::int32_t first, std::int32_t count) {
  auto documents = std::make_shared<Documents>();
  for (std::int32_t i = 0; i < count; ++i) {
    const std::int32_t ids[] = {7, first + i};
    const std::uint8_t scored[] = {0, 1};
    documents->add(ids, scored);
  }
  return documents;
}

struct Pair {
  JoinedDocuments documents{{numbered(0, 100), numbered(1000, 40)}};
  MixtureRules rules{documents.ends(), {1, 1}, 0, false, 42};
};

std::size_t times(const std::vector<std::uint32_t>& all, std::uint32_t document) {
  return static_cast<std::size_t>(std::count(all.begin(), all.end(), document));
}

TEST(JoinedDocuments, CountOn) {
  const Pair pair;
  EXPECT_EQ(pair.documents.size(), 140u);
  EXPECT_EQ(pair.documents.document(99).ids[1], 99);
  EXPECT_EQ(pair.documents.document(100).ids[1], 1000);
  EXPECT_EQ(pair.documents.document(139).ids[1], 1039);
}

TEST(Mixture, WeightsAreHowOftenAnEpochHasADocument) {
  Pair pair;
  pair.rules.weights = {0.25, 2.5};
  const Mixture mixture = mix(pair.documents, pair.rules);
  EXPECT_EQ(mixture.training.size(), 25u + 100u);
  std::size_t thrice = 0;
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_LE(times(mixture.training, i), 1u);
  for (std::uint32_t i = 100; i < 140; ++i) {
    EXPECT_GE(times(mixture.training, i), 2u);
    thrice += times(mixture.training, i) == 3 ? 1 : 0;
  }
  EXPECT_EQ(thrice, 20u);
  EXPECT_EQ(mix(pair.documents, pair.rules).training, mixture.training);
  pair.rules.seed = 43;
  EXPECT_NE(mix(pair.documents, pair.rules).training, mixture.training);
}

TEST(Mixture, WhatIsHeldBackIsNeverTrainedOn) {
  Pair pair;
  pair.rules.weights = {2, 3};
  pair.rules.validation = 0.1;
  const Mixture mixture = mix(pair.documents, pair.rules);
  EXPECT_EQ(mixture.validation.size(), 14u);
  EXPECT_EQ(std::set(mixture.validation.begin(), mixture.validation.end()).size(), 14u);
  for (const std::uint32_t document : mixture.validation)
    EXPECT_THAT(mixture.training, Not(Contains(document)));
  const std::set<std::uint32_t> trained(mixture.training.begin(), mixture.training.end());
  EXPECT_EQ(trained.size(), 126u);
  pair.rules.validation = 5;
  EXPECT_EQ(mix(pair.documents, pair.rules).validation.size(), 5u);
  pair.rules.validation = 140;
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { mix(pair.documents, pair.rules); }),
              HasSubstr("leaves nothing"));
}

TEST(Mixture, DuplicatesAcrossSourcesAreLeftOut) {
  const JoinedDocuments documents({numbered(0, 10), numbered(5, 10), numbered(0, 3)});
  MixtureRules rules{documents.ends(), {1, 1, 1}, 0, true, 1};
  const Mixture mixture = mix(documents, rules);
  EXPECT_EQ(mixture.duplicates, 8u);
  EXPECT_THAT(mixture.training, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19));
  rules.drop_duplicates = false;
  EXPECT_EQ(mix(documents, rules).training.size(), 23u);
}

TEST(Mixture, DocumentsThatTeachNothingAreLeftOut) {
  auto documents = std::make_shared<Documents>();
  const std::int32_t ids[] = {1, 2, 3};
  for (const auto& scored : {std::array<std::uint8_t, 3>{1, 0, 0}, std::array<std::uint8_t, 3>{0, 0, 1},
                             std::array<std::uint8_t, 3>{0, 0, 0}})
    documents->add(ids, scored);
  const Mixture mixture = mix(*documents, {{3}, {1}, 0, false, 1});
  EXPECT_THAT(mixture.training, ElementsAre(1));
  EXPECT_EQ(mixture.unscored, 2u);
}

}  // namespace
}  // namespace trireme::io
