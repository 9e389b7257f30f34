#include "cli/stopwatch.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace trireme::cli {

double Stopwatch::seconds(const std::function<void()>& work, double least_s) const {
  using clock = std::chrono::steady_clock;
  work();
  finish_();
  std::vector<double> blocks;
  int runs = 1;
  for (int block = 0; block < blocks_timed;) {
    everyone_.barrier();
    const auto begin = clock::now();
    for (int run = 0; run < runs; ++run) work();
    finish_();
    double took = std::chrono::duration<double>(clock::now() - begin).count();
    everyone_.all_reduce(&took, &took, 1, DType::f64, comm::Reduction::max);
    if (took < least_s && runs < most_runs) {
      runs *= 2;
      continue;
    }
    blocks.push_back(took / runs);
    ++block;
  }
  std::sort(blocks.begin(), blocks.end());
  return blocks[blocks.size() / 2];
}

}  // namespace trireme::cli
