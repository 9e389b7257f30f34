#include "comm/bench/measure.h"

#include <algorithm>
#include <chrono>

namespace trireme::comm::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_a_call(Subject& subject, const Everyone& everyone, int warmups, int iterations) {
  for (int i = 0; i < warmups; ++i) subject.run();
  subject.finish();
  everyone.barrier();
  const auto begin = Clock::now();
  for (int i = 0; i < iterations; ++i) subject.run();
  subject.finish();
  const std::chrono::duration<double> taken = Clock::now() - begin;
  return everyone.slowest(taken.count()) / iterations;
}

int iterations_for(Subject& subject, const Everyone& everyone, const MeasureOptions& options) {
  if (options.iterations > 0) return options.iterations;
  constexpr int most = 100000;
  double once = seconds_a_call(subject, everyone, 1, 1);
  const int probes =
      static_cast<int>(std::clamp(options.block_seconds / 10 / std::max(once, 1e-9), 1.0, 1000.0));
  if (probes > 1) once = seconds_a_call(subject, everyone, 0, probes);
  return static_cast<int>(std::clamp(options.block_seconds / std::max(once, 1e-9), 1.0, double(most)));
}

}  // namespace

std::vector<Summary> measure_in_turns(std::span<Subject* const> subjects, const Everyone& everyone,
                                      const MeasureOptions& options) {
  const std::size_t count = subjects.size();
  std::vector<int> iterations;
  for (Subject* subject : subjects) iterations.push_back(iterations_for(*subject, everyone, options));
  std::vector<std::vector<double>> times(count);
  for (int repeat = 0; repeat < options.repeats; ++repeat)
    for (std::size_t turn = 0; turn < count; ++turn) {
      const std::size_t chosen = (turn + static_cast<std::size_t>(repeat)) % count;
      times[chosen].push_back(
          seconds_a_call(*subjects[chosen], everyone, options.warmups, iterations[chosen]));
    }
  std::vector<Summary> summaries;
  for (const auto& of_one : times) summaries.push_back(summarize(of_one));
  return summaries;
}

}  // namespace trireme::comm::bench
