#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

const fs::path root = TRIREME_SOURCE_DIR;

/// From the ground up: a room may include itself and those before it.
const std::vector<std::string> rooms{"src/core",  "comm",      "offload", "io",    "sharding", "src/model",
                                     "src/optim", "src/train", "jobs",    "slurm", "src/cli"};

struct Source {
  fs::path path;
  std::string room;
  std::vector<std::string> lines;
};

std::vector<Source> sources() {
  std::vector<Source> found;
  auto all = rooms;
  all.push_back("src/cuda");
  for (const std::string& room : all) {
    if (!fs::exists(root / room)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu" && extension != ".cuh") continue;
      Source source{fs::relative(entry.path(), root), room, {}};
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) source.lines.push_back(line);
      found.push_back(std::move(source));
    }
  }
  return found;
}

/// "comm/mesh.h" → 1: the place in `rooms` of the room that an include names; -1 for anything else.
int room_of_include(const std::string& include) {
  const std::string head = include.substr(0, include.find('/'));
  for (std::size_t i = 0; i < rooms.size(); ++i)
    if (rooms[i] == head || rooms[i] == "src/" + head) return static_cast<int>(i);
  return -1;
}

std::vector<std::string> includes_of(const Source& source) {
  static const std::regex pattern(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"].*)");
  std::vector<std::string> found;
  std::smatch match;
  for (const std::string& line : source.lines)
    if (std::regex_match(line, match, pattern)) found.push_back(match[1]);
  return found;
}

TEST(IncludeGraph, IncludesOnlyPointDown) {
  ASSERT_GT(sources().size(), 20u);
  for (const Source& source : sources()) {
    if (source.room == "src/cuda") continue;
    const auto own = std::find(rooms.begin(), rooms.end(), source.room) - rooms.begin();
    for (const std::string& include : includes_of(source))
      EXPECT_LE(room_of_include(include), own) << source.path << " includes " << include;
  }
}

TEST(IncludeGraph, OnlyThePluginNamesCuda) {
  for (const Source& source : sources()) {
    if (source.room == "src/cuda") continue;
    for (const std::string& include : includes_of(source))
      for (const char* foreign : {"cuda", "nccl", "cufile"})
        EXPECT_FALSE(include.starts_with(foreign)) << source.path << " includes " << include;
  }
}

TEST(IncludeGraph, RoomsBelowShardingAndOfJobsKnowNoTensors) {
  for (const Source& source : sources()) {
    const bool tensor_free = source.room == "src/core" || source.room == "comm" || source.room == "offload" ||
                             source.room == "io" || source.room == "jobs" || source.room == "slurm";
    for (const std::string& include : includes_of(source)) {
      const bool tensors = include.starts_with("ATen/") || include.starts_with("torch/");
      EXPECT_FALSE(tensor_free && tensors) << source.path << " includes " << include;
      EXPECT_FALSE(source.path.extension() == ".h" && include == "torch/torch.h") << source.path;
    }
  }
}

TEST(IncludeGraph, ModelsOpenNoFiles) {
  for (const Source& source : sources()) {
    if (source.room != "src/model") continue;
    for (const std::string& include : includes_of(source)) {
      const bool parses_text = include == "io/strict_json.h";
      EXPECT_FALSE(include.starts_with("io/") && !parses_text) << source.path << " includes " << include;
      EXPECT_FALSE(include == "fstream" || include == "filesystem") << source.path << " includes " << include;
    }
  }
}

TEST(IncludeGraph, FilesStayShort) {
  for (const Source& source : sources())
    EXPECT_LE(source.lines.size(), 400u) << source.path << " holds more than one idea";
}

TEST(IncludeGraph, LibrariesDoNotEndTheProcess) {
  static const std::regex exits(R"((^|[^\w:.])(std::)?(exit|quick_exit|abort)\s*\()");
  for (const Source& source : sources()) {
    if (source.room == "src/cli") continue;
    for (const std::string& line : source.lines)
      EXPECT_FALSE(std::regex_search(line, exits)) << source.path << ": " << line;
  }
}

}  // namespace
