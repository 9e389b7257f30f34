#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/bench_commands.h"
#include "cli/memory_watch.h"
#include "cli/run_folder.h"
#include "core/error.h"
#include "train/metrics.h"
#include "train/report/report.h"
#include "train/report/screen.h"
#include "train/run_record.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string folder = ".";
  std::int64_t steps = 100000;
  double step_ms = 100;
  bool json = false;
};

/// A folder of its own, gone afterwards.
class Scratch {
 public:
  explicit Scratch(const fs::path& parent) : path_(parent / fmt::format("bench-record-{}", ::getpid())) {
    std::error_code problem;
    if (!fs::create_directories(path_, problem))
      fail(ExitCode::configuration, "{} cannot be made: {}", path_.string(), problem.message());
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

train::StepMetrics metrics_of(std::int64_t step) {
  const auto x = static_cast<double>(step);
  return {.step = step,
          .loss = 2 + std::exp(-x / 1000),
          .tokens = 1 << 20,
          .tokens_per_s = 1e6,
          .learning_rate = 1e-4,
          .grad_norm = 1 + std::sin(x),
          .skipped = false,
          .time = 1.7e9 + x,
          .host_bytes = std::int64_t{40} << 30};
}

double median_us(int times, const std::function<void(int)>& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> each;
  for (int i = 0; i < times; ++i) {
    const auto begin = Clock::now();
    work(i);
    each.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  std::nth_element(each.begin(), each.begin() + times / 2, each.end());
  return each[static_cast<std::size_t>(times / 2)];
}

/// Each step pays for its own line; what looks once a second pays that once a second.
void print(const Options& options, const char* what, double us, bool each_step) {
  const double share = each_step ? us / (options.step_ms * 1e3) : us / 1e6;
  if (options.json) {
    fmt::print("{{\"what\": \"{}\", \"time_us\": {:.1f}, \"share\": {:.6f}}}\n", what, us, share);
  } else {
    fmt::print("  {:52} {:>12.1f} us {:>9.4f} % of {}\n", what, us, 100 * share,
               each_step ? fmt::format("a step of {:g} ms", options.step_ms) : "a second");
  }
}

int measure(const Options& options) {
  const Scratch scratch(options.folder);
  constexpr int lines = 2000, looks = 20;
  train::MetricsFile metrics(scratch.path() / "metrics.jsonl", 0);
  train::RunStatus status;
  print(options, "a line of metrics.jsonl, in the first rank",
        median_us(lines, [&](int i) { metrics.write(metrics_of(i + 1)); }), true);
  constexpr int times_a_second = std::chrono::seconds(1) / tell_status_every;
  print(options,
        fmt::format("status.json {} times, in the first rank, once a second", times_a_second).c_str(),
        times_a_second * median_us(lines,
                                   [&](int i) {
                                     status.step = i;
                                     train::write_status(scratch.path() / "status.json", status);
                                   }),
        false);
  print(options, "a look at host memory, in each rank, once a second",
        median_us(looks, [](int) { return shortage(look_at_memory(), 0, ""); }), false);

  train::MetricsReader reader(scratch.path() / "metrics.jsonl");
  reader.poll();
  std::int64_t step = lines;
  print(options, "watch: ten new lines read, once a second",
        median_us(looks,
                  [&](int) {
                    for (int i = 0; i < 10; ++i) metrics.write(metrics_of(++step));
                    reader.poll();
                  }),
        false);
  train::RunRecord run;
  run.folder = scratch.path(), run.status.total_steps = options.steps;
  for (std::int64_t i = 1; i <= options.steps; ++i) run.steps.push_back(metrics_of(i));
  std::size_t bytes = 0;
  const std::string drawn = fmt::format("watch: a picture of {} steps, once a second", options.steps);
  print(options, drawn.c_str(), median_us(looks, [&](int) { bytes += train::screen(run, 120, 40).size(); }),
        false);
  const std::string reported = fmt::format("report of {} steps, beside the run", options.steps);
  print(options, reported.c_str(), median_us(3, [&](int) { bytes += train::report_page({run}).size(); }),
        false);
  return bytes > 0 ? 0 : static_cast<int>(ExitCode::internal);
}

}  // namespace

void add_bench_record(Command bench) {
  Command command = bench.subcommand("record", "What it costs a run to tell of itself, and to be watched");
  auto options = std::make_shared<Options>();
  command.option("folder", options->folder, "Where run folders lie; nothing stays there");
  command.option("--steps", options->steps, "Steps of the run that is drawn").within(2, 10000000);
  command.option("--step-ms", options->step_ms, "The step that costs are held against").positive();
  command.flag("--json", options->json, "One object a line");
  command.footer("Example: trireme bench record /scratch --step-ms 50");
  command.runs([options] { return measure(*options); });
}

}  // namespace trireme::cli
