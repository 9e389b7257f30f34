#include "cli/progress.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "comm/watchdog/environment.h"
#include "train/report/screen.h"
#include "train/report/text_plot.h"

namespace trireme::cli {
namespace {

/// Open MPI gives its ranks a terminal of its own even where it writes to a file, so only `trireme launch`
/// knows.
int terminal_columns() {
  if (const char* columns = std::getenv(comm::terminal_variable)) {
    int told = 0;
    std::from_chars(columns, columns + std::strlen(columns), told);
    return std::max(0, told);
  }
  if (std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("SLURM_PROCID") || !isatty(STDOUT_FILENO)) return 0;
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(std::int64_t total_steps, std::int64_t each)
    : total_(total_steps), each_(each), columns_(terminal_columns()) {}

double Progress::seconds_left(std::int64_t step) const {
  if (newest_.size() < 2) return -1;
  const auto& [first, begin] = newest_.front();
  const double pace = std::chrono::duration<double>(newest_.back().second - begin).count() /
                      static_cast<double>(std::max<std::int64_t>(step - first, 1));
  return pace * static_cast<double>(total_ - step);
}

void Progress::after(const train::StepMetrics& metrics) {
  constexpr std::size_t remembered = 21;
  newest_.emplace_back(metrics.step, Clock::now());
  if (newest_.size() > remembered) newest_.pop_front();
  const bool due = metrics.step % each_ == 0 || metrics.step == total_;
  if (columns_ == 0 && !due) return;
  std::string line = train::step_line(metrics, total_);
  if (const double left = seconds_left(metrics.step); left >= 0 && metrics.step < total_)
    line += fmt::format("  {} left", train::duration(left));
  if (columns_ == 0) {
    fmt::print("{}\n", line);
  } else {
    constexpr int bar = 16, least_room = 100;
    if (columns_ >= least_room)
      line =
          train::text_bar(static_cast<double>(metrics.step) / static_cast<double>(total_), bar) + "  " + line;
    // The bar's letters are of three bytes each; what is cut off is at the end.
    const auto room =
        static_cast<std::size_t>(columns_ - 1) + (columns_ >= least_room ? std::size_t{2 * bar} : 0);
    fmt::print("\r{}\x1b[K", line.substr(0, room));
    line_open_ = true;
    if (metrics.step == total_) close();
  }
  std::fflush(stdout);
}

void Progress::say(const std::string& line) {
  close();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Progress::close() {
  if (line_open_) fmt::print("\n");
  line_open_ = false;
  std::fflush(stdout);
}

}  // namespace trireme::cli
