#include <boost/json.hpp>
#include <set>
#include <sstream>

#include <gmock/gmock.h>

#include "core/process.h"

namespace trireme::comm {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;

std::vector<boost::json::object> lines_of(const std::string& output) {
  std::vector<boost::json::object> lines;
  std::istringstream stream(output);
  for (std::string line; std::getline(stream, line);) lines.push_back(boost::json::parse(line).as_object());
  return lines;
}

std::vector<std::string> launch(int ranks) {
  std::istringstream words(TRIREME_LAUNCH);
  std::vector<std::string> command;
  for (std::string word; words >> word;) command.push_back(word);
  for (const std::string& word : {std::string("-n"), std::to_string(ranks), std::string(TRIREME_PROGRAM),
                                  std::string("doctor"), std::string("--json")})
    command.push_back(word);
  return command;
}

const std::set<std::string> promised = {
    "topology",   "MPI",      "MPI threads",       "MPI transports", "MPI and CUDA", "launcher",
    "cgroup",     "memlock",  "huge pages",        "clocks",         "Slurm",        "NCCL",
    "GPU driver", "LibTorch", "GPUDirect Storage", "cores",          "io_uring",     "tiers"};

TEST(DoctorProgram, TellsEverythingAsOneObjectALine) {
  const ProcessResult result = run_process({TRIREME_PROGRAM, "doctor", "--json"});
  std::set<std::string> checks;
  bool any_problem = false;
  for (const auto& line : lines_of(result.output)) {
    const std::string verdict(line.at("verdict").as_string());
    EXPECT_TRUE(verdict == "ok" || verdict == "warning" || verdict == "problem") << verdict;
    EXPECT_FALSE(line.at("found").as_string().empty());
    EXPECT_EQ(line.at("advice").as_string().empty(), verdict == "ok") << line;
    checks.insert(std::string(line.at("check").as_string()));
    any_problem |= verdict == "problem";
  }
  EXPECT_THAT(checks, IsSupersetOf(promised));
  EXPECT_EQ(result.status, any_problem ? 78 : 0) << result.errors;
}

TEST(DoctorProgram, SeveralRanksSpeakWithOneVoice) {
  const ProcessResult result = run_process(launch(2));
  const auto lines = lines_of(result.output);
  ASSERT_FALSE(lines.empty()) << result.errors;
  EXPECT_EQ(lines.front().at("topology").at("ranks").as_array().size(), 2u);
  std::multiset<std::string> checks;
  for (const auto& line : lines) checks.insert(std::string(line.at("check").as_string()));
  EXPECT_EQ(checks.count("MPI"), 1u);
  EXPECT_EQ(checks.count("clocks"), 1u);
}

TEST(DoctorProgram, ALaunchThatCameApartIsAProblem) {
  const ProcessResult result = run_process({"env", "OMPI_COMM_WORLD_SIZE=4", TRIREME_PROGRAM, "doctor"});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.output, HasSubstr("mpirun started 4 processes (OMPI_COMM_WORLD_SIZE) but MPI sees 1"));
  EXPECT_THAT(result.output, HasSubstr("MPI_THREAD_MULTIPLE")) << "the other checks go on";
}

TEST(DoctorProgram, ShortOfSpaceIsAProblem) {
  const ProcessResult result = run_process({"env", "TMPDIR=/proc/self", TRIREME_PROGRAM, "doctor"});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.output, HasSubstr("set TMPDIR"));
}

}  // namespace
}  // namespace trireme::comm
