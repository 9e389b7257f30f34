#include "offload/bench/tier_record.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace trireme::offload::bench {
namespace {

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double>& seconds) {
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

}  // namespace

double median_seconds(int rounds, const std::function<void()>& work) {
  std::vector<double> seconds;
  work();
  for (int round = 0; round < rounds; ++round) seconds.push_back(seconds_of(work));
  return median(seconds);
}

std::pair<double, double> medians_in_turns(int rounds, const std::function<void()>& first,
                                           const std::function<void()>& second) {
  std::vector<double> firsts, seconds;
  first(), second();
  for (int round = 0; round < rounds; ++round) {
    firsts.push_back(seconds_of(first));
    seconds.push_back(seconds_of(second));
  }
  return {median(firsts), median(seconds)};
}

}  // namespace trireme::offload::bench
