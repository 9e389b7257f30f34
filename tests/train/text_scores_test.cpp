#include "train/text_scores.h"

#include <boost/json/parse.hpp>

#include <gtest/gtest.h>

#include "io/file.h"
#include "train/early_stop.h"

namespace trireme::train {
namespace {

/// tests/golden/make_text_scores.py asked the rouge_score package.
TEST(TextScores, RougeLIsThatOfRougeScore) {
  const auto rows = boost::json::parse(io::read_text(TRIREME_GOLDEN "/text_scores/rouge.json"));
  EXPECT_GT(rows.as_array().size(), 70u);
  for (const auto& row : rows.as_array()) {
    const std::string prediction(row.at("prediction").as_string()),
        reference(row.at("reference").as_string());
    EXPECT_NEAR(rouge_l(prediction, reference), row.at("rouge_l").to_number<double>(), 1e-12)
        << prediction << " | " << reference;
  }
}

TEST(TextScores, AnExactMatchLooksPastWhiteSpaceAround) {
  EXPECT_TRUE(exact_match(" The end.\n", "The end."));
  EXPECT_TRUE(exact_match("", " \n"));
  EXPECT_FALSE(exact_match("the end.", "The end."));
  EXPECT_FALSE(exact_match("The  end.", "The end."));
}

TEST(EarlyStop, CountsEvaluationsWithoutImprovement) {
  EarlyStop stop(2, 0.1);
  EXPECT_TRUE(stop.note(3.0));
  EXPECT_TRUE(stop.note(2.0));
  EXPECT_TRUE(stop.note(1.95));  // the best, but by less than the threshold
  EXPECT_FALSE(stop.wants_stop());
  EXPECT_FALSE(stop.note(2.5));
  EXPECT_TRUE(stop.wants_stop());
}

TEST(EarlyStop, NeverStopsWithoutPatienceAndGoesOnFromItsState) {
  EarlyStop patient(0, 0);
  for (const double score : {1.0, 2.0, 3.0, 4.0}) patient.note(score);
  EXPECT_FALSE(patient.wants_stop());
  EarlyStop other(3, 0);
  other.restore(patient.state());
  EXPECT_TRUE(other.wants_stop());
  EXPECT_TRUE(other.note(0.5));
  EXPECT_FALSE(other.wants_stop());
}

}  // namespace
}  // namespace trireme::train
