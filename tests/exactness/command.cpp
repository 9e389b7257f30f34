// exactness_matrix MODEL_FOLDER LOG [PART OF]: every case of the matrix, each twice; goes on where the log
// ends. With PART and OF only each OF-th case from PART on, for several of these beside each other.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include "tests/exactness/run.h"

namespace {

using namespace trireme::exactness;

/// A line of the log.
std::string verdict(const Case& one, const std::string& folder, References& references) {
  const Run run = train(one, folder), again = train(one, folder);
  const Difference found = references.from(one, run), limit = allowed(one);
  const bool same = run.losses == again.losses && run.parameters == again.parameters;
  const bool good = found.loss <= limit.loss && found.parameters <= limit.parameters && same;
  return fmt::format("{}: {}, losses within {:.1e}, parameters within {:.1e}, {}", name_of(one),
                     good ? "ok" : "WRONG", found.loss, found.parameters,
                     same ? "twice the same" : "NOT TWICE THE SAME");
}

int run_matrix(const std::string& folder, const std::string& log, std::size_t part, std::size_t of) {
  const std::set<std::string> done = sound_cases_in(log);
  References references(folder);
  std::ofstream out(log, std::ios::app);
  const std::vector<Case> cases = all_cases();
  int wrong = 0, run = 0;
  for (std::size_t i = part; i < cases.size(); i += of) {
    if (done.count(name_of(cases[i]))) continue;
    const std::string line = verdict(cases[i], folder, references);
    out << line << std::endl;
    ++run;
    if (line.find(": ok") == std::string::npos) ++wrong, fmt::print("{}\n", line);
  }
  fmt::print("{} of the {} cases that were run are wrong\n", wrong, run);
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  const std::size_t part = count == 5 ? std::strtoul(words[3], nullptr, 10) : 0;
  const std::size_t of = count == 5 ? std::strtoul(words[4], nullptr, 10) : 1;
  if ((count != 3 && count != 5) || part >= of) {
    fmt::print(stderr, "exactness_matrix MODEL_FOLDER LOG [PART OF], PART from 0 to OF - 1\n");
    return 64;
  }
  try {
    return run_matrix(words[1], words[2], part, of);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "{}\n", problem.what());
    return 70;
  }
}
