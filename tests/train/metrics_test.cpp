#include "train/metrics.h"

#include <boost/json/parse.hpp>
#include <cmath>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/file.h"

namespace trireme::train {
namespace {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / fmt::format("trireme-metrics-{}", ::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

TEST(Metrics, KeepNineDigitsAndWriteNullForWhatIsNotFinite) {
  const auto line = boost::json::parse(
      json_of({.step = 3, .loss = 6.926519393920898, .tokens = 1020, .grad_norm = NAN, .skipped = true}));
  EXPECT_EQ(line.at("step").as_int64(), 3);
  EXPECT_NEAR(line.at("loss").as_double(), 6.926519393920898, 1e-8);
  EXPECT_TRUE(line.at("grad_norm").is_null());
  EXPECT_TRUE(line.at("skipped").as_bool());
}

TEST(Metrics, ARunThatGoesOnHasNoGapsAndNoRepeats) {
  const Folder folder;
  const auto path = folder / "metrics.jsonl";
  {
    MetricsFile file(path, 0);
    for (int step = 1; step <= 5; ++step) file.write({.step = step, .loss = 1.0});
  }
  std::ofstream(path, std::ios::app) << "{\"step\": 6, \"lo";
  {
    MetricsFile file(path, 3);
    for (int step = 4; step <= 6; ++step) file.write({.step = step, .loss = 2.0});
  }
  std::ifstream in(path);
  std::string line;
  std::int64_t expected = 0;
  while (std::getline(in, line)) {
    const auto value = boost::json::parse(line);
    EXPECT_EQ(value.at("step").as_int64(), ++expected);
    EXPECT_EQ(value.at("loss").to_number<double>(), expected <= 3 ? 1.0 : 2.0);
  }
  EXPECT_EQ(expected, 6);
}

TEST(Status, IsOneValidObject) {
  const Folder folder;
  RunStatus status;
  status.state = "failed", status.step = 4, status.total_steps = 20, status.loss = 1.5;
  status.message = "rank 3: \"quoted\"\nline", status.checkpoint_failures = 2;
  write_status(folder / "status.json", status);
  const auto read = boost::json::parse(io::read_text(folder / "status.json"));
  EXPECT_EQ(read.at("state").as_string(), "failed");
  EXPECT_EQ(read.at("message").as_string(), "rank 3: \"quoted\"\nline");
  EXPECT_EQ(read.at("checkpoint_failures").as_int64(), 2);
}

}  // namespace
}  // namespace trireme::train
