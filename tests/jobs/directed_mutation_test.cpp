#include <cmath>
#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "jobs/keys.h"
#include "jobs/read_job.h"
#include "tests/io/scratch.h"
#include "tests/jobs/minimal_job.h"

namespace trireme::jobs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using trireme::testing::message_of;
using trireme::testing::minimal_job;

/// "slurm.nodes" and "2" as the fifth line, or fifth and sixth, of a job file.
std::string job_with(const std::string& name, const std::string& value) {
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos) return minimal_job(fmt::format("{}: {}\n", name, value));
  return minimal_job(fmt::format("{}:\n  {}: {}\n", name.substr(0, dot), name.substr(dot + 1), value));
}
std::string line_of(const std::string& name) {
  return name.find('.') == std::string::npos ? "line 5" : "line 6";
}

/// One sentence of file, line and key.
void expect_refused(const std::string& name, const std::string& value, const std::string& hint) {
  const std::string text = job_with(name, value);
  const std::string said = message_of(ExitCode::configuration, [&] { parse_job(text, "job.yaml"); });
  EXPECT_THAT(said, HasSubstr("job.yaml, " + line_of(name))) << text;
  EXPECT_THAT(said, HasSubstr(name)) << text;
  EXPECT_THAT(said, HasSubstr(hint)) << text;
  EXPECT_THAT(said, Not(HasSubstr("\n")));
  EXPECT_LT(said.size(), 600U) << said;
}

/// Without a power of ten, which a whole number does not have.
std::string plainly(double value) {
  return value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{}", value);
}

/// What each key takes instead of a value of its kind; nothing where any text will do.
struct Wrong {
  std::string value, hint;
};
std::vector<Wrong> wrong_values(const Key& key) {
  std::vector<Wrong> wrong{{"[1, 2]", "must be"}};
  const auto number = [&] {
    wrong.push_back({"many", "must be a"});
    if (key.least < key.most) wrong.push_back({plainly(key.most * 10 + 10), "must be between"});
    if (key.least < key.most) wrong.push_back({plainly(key.least - 1), "must be between"});
  };
  if (std::holds_alternative<std::int64_t& (*)(JobSpec&)>(key.place)) number();
  if (std::holds_alternative<double& (*)(JobSpec&)>(key.place)) number();
  if (std::holds_alternative<bool& (*)(JobSpec&)>(key.place))
    wrong.push_back({"perhaps", "must be true or false"});
  if (!key.choices.empty()) wrong.push_back({"nonsense", "must be one of"});
  return wrong;
}

TEST(DirectedMutation, EveryKeyRefusesWhatItCannotMean) {
  int mutations = 0;
  for (const Key& key : keys()) {
    const std::string name(key.name);
    if (name == "base_model" || name == "learning_rate") continue;  // the minimal job has them
    for (const Wrong& wrong : wrong_values(key)) expect_refused(name, wrong.value, wrong.hint), ++mutations;
  }
  EXPECT_GE(mutations, 100);
}

TEST(DirectedMutation, EveryMisspeltKeyIsNamedWithTheNearest) {
  int mutations = 0;
  std::map<std::string, int> unguessed;
  for (const Key& key : keys()) {
    std::string name(key.name);
    const std::size_t last = name.size() - 1;
    if (last < 5) continue;
    std::swap(name[last - 1], name[last - 2]);
    if (name == key.name) continue;
    const std::string text = job_with(name, "1");
    const std::string said = message_of(ExitCode::configuration, [&] { parse_job(text, "job.yaml"); });
    EXPECT_THAT(said, HasSubstr(fmt::format("{}: the key {} is unknown", line_of(name), name)));
    EXPECT_THAT(said, HasSubstr("did you mean ")) << said;
    if (said.find(key.name) == std::string::npos) ++unguessed[said];
    ++mutations;
  }
  EXPECT_GE(mutations, 60);
  EXPECT_LE(unguessed.size(), 3U) << "another key is rarely nearer than the one that was meant";
}

TEST(EntryWords, ChangeOneValueOfAList) {
  const JobSpec job = parse_job(minimal_job(), "job.yaml", {"datasets[0].path=other.npy"});
  EXPECT_EQ(job.datasets.at(0).path, "other.npy");
  const auto refused = [](const char* word) {
    return message_of(ExitCode::configuration, [&] { parse_job(minimal_job(), "job.yaml", {word}); });
  };
  EXPECT_THAT(refused("datasets[1].path=x"), HasSubstr("datasets has 1 entries, counted from 0"));
  EXPECT_THAT(refused("test_sets[0].path=x"), HasSubstr("the job has no list test_sets"));
  EXPECT_THAT(refused("datasets[0].pth=x"), HasSubstr("pth"));
  EXPECT_THAT(refused("datasets[a].path=x"), HasSubstr("the key datasets[a].path is unknown"));
}

}  // namespace
}  // namespace trireme::jobs
