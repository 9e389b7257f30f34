#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

namespace {

using testing::HasSubstr;

struct Ended {
  int status = -1;
  std::string output;
};

Ended run(const std::string& command) {
  Ended ended;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return ended;
  std::array<char, 4096> chunk{};
  while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), pipe))
    ended.output.append(chunk.data(), got);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
  return ended;
}

const std::string program = TRIREME_PROGRAM;

std::string on_ranks(int ranks, const std::string& words) {
  return std::string(TRIREME_LAUNCH) + " -n " + std::to_string(ranks) + " " + program + " bench comm " +
         words;
}

std::vector<boost::json::object> json_lines(const std::string& output) {
  std::vector<boost::json::object> lines;
  for (std::size_t begin = 0; begin < output.size();) {
    const std::size_t end = std::min(output.find('\n', begin), output.size());
    if (output[begin] == '{')
      lines.push_back(boost::json::parse(output.substr(begin, end - begin)).as_object());
    begin = end + 1;
  }
  return lines;
}

TEST(BenchProgram, OneRankIsToldHowToStartMore) {
  const Ended ended = run(program + " bench comm");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.output, HasSubstr("mpirun -n 2 trireme bench comm"));
}

TEST(BenchProgram, HelpShowsAnExample) {
  const Ended ended = run(program + " bench comm --help");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.output, HasSubstr("--collective all_reduce"));
}

TEST(BenchProgram, BadArgumentsEndWith64AndSayWhatIsWrong) {
  const std::map<std::string, std::string> complaints{
      {"--collective gather", "no collective 'gather'"},
      {"-b 2M -e 1M", "--end (1 MiB) is below --begin (2 MiB)"},
      {"-f 1", "--factor is 1"},
      {"-b many", "'many' is not a number of bytes"},
      {"-d float7", "no --dtype 'float7'"},
      {"-o product", "no reduction 'product'"},
      {"--group rack", "no group 'rack'"},
      {"--backend ,", "--backend names nothing"},
      {"--collective all_to_all --in-place", "all_to_all cannot be in place"},
      {"-d bool --collective all_reduce", "does not reduce booleans"},
      {"--repeats 0", "--repeats is 0"},
      {"-n -1", "cannot be below 0"},
      {"--memory tape", "--memory 'tape'"},
      {"--backend ucx", "add --pairs"},
      {"--pairs --pair-size 4", "--pair-size is 4 bytes"},
      {"--pairs --slow-below 1.5", "--slow-below is 1.5"},
      {"--no-such-option", "--no-such-option"},
  };
  for (const auto& [words, complaint] : complaints) {
    const Ended ended = run(program + " bench comm " + words);
    EXPECT_EQ(ended.status, 64) << words;
    EXPECT_THAT(ended.output, HasSubstr(complaint)) << words;
  }
}

TEST(BenchProgram, DeviceMemoryWithoutAGpuIsOneSentence) {
  if (dlopen("libcuda.so.1", RTLD_LAZY)) GTEST_SKIP() << "this machine has a GPU driver";
  const Ended ended = run(program + " bench comm --memory device");
  EXPECT_EQ(ended.status, 78);
  EXPECT_THAT(ended.output, HasSubstr("no GPU driver"));
  EXPECT_EQ(std::count(ended.output.begin(), ended.output.end(), '\n'), 1);
}

TEST(BenchProgram, UnknownBackendEndsAllRanksWith64) {
  const Ended ended = run(on_ranks(2, "--backend pigeon"));
  EXPECT_EQ(ended.status, 64) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("'pigeon'"));
}

TEST(BenchProgram, EveryCollectiveOnTwoRanksChecksOutAndIsReportedAsJson) {
  const Ended ended = run(on_ranks(2,
                                   "--collective all --backend mpi,openmpi -b 64 -e 4K -f 8 -w 1 -n 3 "
                                   "--repeats 2 -c -d bf16 -o mean --json"));
  ASSERT_EQ(ended.status, 0) << ended.output;
  const auto lines = json_lines(ended.output);
  ASSERT_EQ(lines.size(), 6u * 2 * 3);
  for (const auto& line : lines) {
    EXPECT_EQ(line.at("ranks").as_int64(), 2);
    EXPECT_EQ(line.at("nodes").as_int64(), 1);
    EXPECT_EQ(line.at("wrong").as_int64(), 0);
    const double bytes = line.at("bytes").to_number<double>(), time = line.at("time_us").to_number<double>();
    EXPECT_GT(time, 0);
    EXPECT_NEAR(line.at("algbw_gb_s").to_number<double>(), bytes / time / 1e3, 1e-4 * bytes / time / 1e3);
    EXPECT_GT(line.at("limit_gb_s").to_number<double>(), 0);
  }
}

TEST(BenchProgram, AllBackendsOnFourRanksInPlace) {
  const Ended ended = run(on_ranks(4,
                                   "--collective all_gather,all_reduce,broadcast --in-place -b 1K -e 64K -f "
                                   "8 -n 2 --repeats 1 -c --json"));
  ASSERT_EQ(ended.status, 0) << ended.output;
  std::map<std::string, int> lines_of;
  for (const auto& line : json_lines(ended.output)) {
    EXPECT_EQ(line.at("wrong").as_int64(), 0) << line.at("backend").as_string();
    ++lines_of[std::string(line.at("backend").as_string())];
  }
  EXPECT_EQ(lines_of["mpi"], 9);
  EXPECT_EQ(lines_of["openmpi"], 9);
}

TEST(BenchProgram, PairsOfThreeRanksInBothDirections) {
  const Ended ended = run(on_ranks(3, "--pairs --backend openmpi,mpi,ucx --pair-size 64K --json"));
  ASSERT_EQ(ended.status, 0) << ended.output;
  std::map<std::string, std::set<std::pair<std::int64_t, std::int64_t>>> pairs_of;
  for (const auto& line : json_lines(ended.output)) {
    EXPECT_EQ(line.at("collective").as_string(), "pair");
    EXPECT_EQ(line.at("bytes").as_int64(), 65536);
    EXPECT_GT(line.at("latency_us").to_number<double>(), 0);
    EXPECT_GT(line.at("algbw_gb_s").to_number<double>(), 0);
    EXPECT_GT(line.at("limit_gb_s").to_number<double>(), 0);
    pairs_of[std::string(line.at("backend").as_string())].emplace(line.at("from").as_int64(),
                                                                  line.at("to").as_int64());
  }
  for (const char* backend : {"openmpi", "mpi", "ucx", "ucx_put", "ucx_get"})
    EXPECT_EQ(pairs_of[backend].size(), 6u) << backend;
}

TEST(BenchProgram, PairsAsAMatrix) {
  const Ended ended = run(on_ranks(2, "--pairs --backend openmpi --pair-size 64K --at-once"));
  ASSERT_EQ(ended.status, 0) << ended.output;
  for (const char* words :
       {"openmpi: latency of 8 bytes", "messages of 65536 bytes", "openmpi inside a node: usual"})
    EXPECT_THAT(ended.output, HasSubstr(words));
}

TEST(BenchProgram, TableHasNcclTestsColumns) {
  const Ended ended =
      run(on_ranks(2, "--backend openmpi --collective all_reduce -b 1K -e 4K -f 4 -n 2 --repeats 1"));
  ASSERT_EQ(ended.status, 0) << ended.output;
  for (const char* column :
       {"size", "count", "type", "redop", "time", "algbw", "busbw", "limit", "# all_reduce openmpi: "})
    EXPECT_THAT(ended.output, HasSubstr(column));
}

}  // namespace
