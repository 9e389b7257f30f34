#include <boost/json/parse.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/bench/json_line.h"
#include "comm/bench/record.h"

namespace trireme::comm::bench {
namespace {

Record example() {
  Record record;
  record.workload = Workload::fitting(Collective::all_reduce, DType::f32, Reduction::mean, 4, true, 64000000);
  record.backend = "shm";
  record.nodes = 2;
  record.seconds = {8e-3, 7e-3, 9e-3};
  record.limit_seconds = 6e-3;
  record.any_stores_seconds = 3e-3;
  record.wrong = 0;
  record.fit = AlphaBeta{2e-6, 8e9, 0.01};
  return record;
}

TEST(BenchRecord, JsonHasThePromisedFieldsFirstAndInOrder) {
  const auto object = boost::json::parse(json_of(example())).as_object();
  const std::vector<std::string> promised{"collective", "backend",    "ranks",      "nodes",     "bytes",
                                          "time_us",    "algbw_gb_s", "busbw_gb_s", "limit_gb_s"};
  ASSERT_GE(object.size(), promised.size());
  auto field = object.begin();
  for (const std::string& name : promised) EXPECT_EQ(std::string((field++)->key()), name);
  EXPECT_EQ(object.at("collective").as_string(), "all_reduce");
  EXPECT_EQ(object.at("backend").as_string(), "shm");
  EXPECT_EQ(object.at("ranks").as_int64(), 4);
  EXPECT_EQ(object.at("nodes").as_int64(), 2);
  EXPECT_EQ(object.at("bytes").as_int64(), 64000000);
  EXPECT_DOUBLE_EQ(object.at("time_us").to_number<double>(), 8000);
  EXPECT_DOUBLE_EQ(object.at("algbw_gb_s").to_number<double>(), 8);
  EXPECT_DOUBLE_EQ(object.at("busbw_gb_s").to_number<double>(), 12);
  EXPECT_DOUBLE_EQ(object.at("limit_gb_s").to_number<double>(), 16);
  EXPECT_DOUBLE_EQ(object.at("limit_any_stores_gb_s").to_number<double>(), 32);
  EXPECT_DOUBLE_EQ(object.at("fit_alpha_us").to_number<double>(), 2);
  EXPECT_EQ(object.at("dtype").as_string(), "f32");
  EXPECT_EQ(object.at("redop").as_string(), "mean");
  EXPECT_TRUE(object.at("in_place").as_bool());
  EXPECT_EQ(object.at("wrong").as_int64(), 0);
}

TEST(BenchRecord, TableShowsPercentOfTheLimitAndWhetherResultsWereChecked) {
  Record record = example();
  EXPECT_DOUBLE_EQ(record.percent_of_limit(), 75);
  EXPECT_THAT(table_row(record), testing::ContainsRegex("75\\.0 +7000\\.00 +9000\\.00 +0$"));
  record.wrong.reset();
  EXPECT_THAT(table_row(record), testing::EndsWith("N/A"));
  EXPECT_THAT(fit_lines({record}), testing::HasSubstr("all_reduce shm: time = 2.00 us + size / 8.00 GB/s"));
}

TEST(BenchJsonLine, EscapesTextAndWritesNullForWhatIsNoNumber) {
  JsonLine line;
  line.add("name", "a\"b\\").add("rate", 1.0 / 0.0).add("count", 3u).add("slow", false);
  const auto object = boost::json::parse(line.text()).as_object();
  EXPECT_EQ(object.at("name").as_string(), "a\"b\\");
  EXPECT_TRUE(object.at("rate").is_null());
  EXPECT_EQ(object.at("count").as_int64(), 3);
  EXPECT_FALSE(object.at("slow").as_bool());
}

}  // namespace
}  // namespace trireme::comm::bench
