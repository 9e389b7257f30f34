// mutate_NAME ROUNDS FILE-OR-FOLDER…: gives NAME's input function the seeds and ROUNDS mutations of them, the
// same at every run.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest = 1 << 16;

/// What breaks parsers more often than chance does.
const std::vector<std::string> words{"{",
                                     "}",
                                     "[",
                                     "]",
                                     "\"",
                                     ":",
                                     ",",
                                     "null",
                                     "true",
                                     "-1",
                                     "18446744073709551615",
                                     "1e308",
                                     "0.5",
                                     "{{",
                                     "}}",
                                     "{%",
                                     "%}",
                                     "-%}",
                                     "{% for x in range(99999) %}",
                                     "{% endfor %}",
                                     "\\u0000",
                                     "\\ud800",
                                     "\xff",
                                     "\xc3",
                                     "\xf0\x9f\x98\x80",
                                     "\n",
                                     "\r\n",
                                     "'",
                                     "|tojson",
                                     "[::-1]",
                                     "((((((((",
                                     "[[[[[[[[[[",
                                     "**",
                                     "99999999999",
                                     "(a+)+$",
                                     "\\p{L}",
                                     "id",
                                     "content",
                                     "merges",
                                     "vocab",
                                     "rope_theta",
                                     "\"dtype\"",
                                     "\"shape\"",
                                     "data_offsets",
                                     "F32"};

std::vector<std::string> read_seeds(int count, char** names) {
  std::vector<fs::path> files;
  for (int i = 0; i < count; ++i) {
    if (fs::is_regular_file(names[i])) files.emplace_back(names[i]);
    if (fs::is_directory(names[i]))
      for (const auto& entry : fs::recursive_directory_iterator(names[i]))
        if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    if (bytes.size() <= longest) seeds.push_back(std::move(bytes));
  }
  return seeds;
}

void mutate(std::string& text, const std::vector<std::string>& seeds, std::mt19937& random) {
  const auto below = [&](std::size_t bound) { return bound == 0 ? 0 : random() % bound; };
  const std::size_t at = below(text.size() + 1),
                    length = below(std::min<std::size_t>(text.size() - std::min(at, text.size()), 64) + 1);
  switch (random() % 7) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(random());
      break;
    case 1:
      text.erase(at, length);
      break;
    case 2:
      text.insert(at, words[below(words.size())]);
      break;
    case 3:
      text.replace(at, length, words[below(words.size())]);
      break;
    case 4:
      text.insert(at, text.substr(below(text.size()), below(256)));
      break;
    case 5: {
      const std::string& other = seeds[below(seeds.size())];
      text.insert(at, other.substr(below(other.size()), below(256)));
      break;
    }
    default:
      if (random() % 4 == 0) text.resize(at);
      break;
  }
  if (text.size() > longest) text.resize(longest);
}

void give(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return std::fprintf(stderr, "%s ROUNDS FILE-OR-FOLDER…\n", arguments[0]), 64;
  const std::vector<std::string> seeds = read_seeds(count - 2, arguments + 2);
  if (seeds.empty()) return std::fprintf(stderr, "there are no seeds\n"), 1;
  std::string text;
  try {
    for (const std::string& seed : seeds) give(text = seed);
    std::mt19937 random(1);
    for (int rounds = std::atoi(arguments[1]); rounds > 0; --rounds) {
      text = seeds[random() % seeds.size()];
      for (std::size_t edits = 1 + random() % 6; edits > 0; --edits) mutate(text, seeds, random);
      give(text);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s, from this input:\n%s\n", error.what(), text.c_str());
    return 1;
  }
  return 0;
}
