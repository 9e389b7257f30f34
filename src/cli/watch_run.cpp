#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/run_words.h"
#include "train/report/screen.h"

namespace trireme::cli {
namespace {

struct Words {
  std::string run;
  bool once = false, plain = false;
};

struct Size {
  int width = 80, height = 24;
};

Size terminal() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row};
}

bool has_ended(const train::RunStatus& status) {
  return status.state == "done" || status.state == "failed" || status.state == "stopped";
}

/// Each step once, as it comes; what was computed again after a restart is told again.
int watch_plainly(const std::filesystem::path& folder) {
  train::MetricsReader metrics(folder / "metrics.jsonl");
  std::int64_t told = 0;
  for (;;) {
    const train::RunStatus status = train::read_status(folder);
    metrics.poll();
    const auto& steps = metrics.steps();
    if (!steps.empty() && steps.back().step < told) told = 0;
    for (const train::StepMetrics& step : steps)
      if (step.step > told) fmt::print("{}\n", train::step_line(step, status.total_steps)), told = step.step;
    if (has_ended(status)) {
      fmt::print("{}{}{}\n", status.state, status.message.empty() ? "" : ": ", status.message);
      return 0;
    }
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

/// Draws over the last picture instead of clearing first, so that nothing flickers.
void draw(const std::string& picture) {
  std::string out = "\x1b[H";
  for (const char letter : picture)
    if (letter == '\n') {
      out += "\x1b[K\n";
    } else {
      out += letter;
    }
  out += "\x1b[J";
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

int watch_screen(const std::filesystem::path& folder) {
  train::MetricsReader metrics(folder / "metrics.jsonl");
  train::RunRecord run = train::read_run(folder);
  std::fputs("\x1b[2J", stdout);
  for (;;) {
    run.status = train::read_status(folder);
    if (metrics.poll()) {
      run.steps = metrics.steps(), run.events = train::read_events(folder);
      train::read_surroundings(run);
    }
    const Size size = terminal();
    draw(train::screen(run, size.width, size.height));
    if (has_ended(run.status)) return 0;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

int watch(const Words& words) {
  const std::filesystem::path folder = run_folder_of(words.run);
  if (words.once) {
    const Size size = terminal();
    fmt::print("{}", train::screen(train::read_run(folder), size.width, size.height));
    return 0;
  }
  if (words.plain || !isatty(STDOUT_FILENO)) {
    train::read_run(folder);
    return watch_plainly(folder);
  }
  return watch_screen(folder);
}

}  // namespace

void add_watch(Command app) {
  Command command = app.subcommand(
      "watch", "Follow a run until it ends: curves, pace, memory, lanes, nodes, what happened");
  auto words = std::make_shared<Words>();
  command.option("run", words->run, "A run folder, a job file, or a Slurm job's id").required();
  command.flag("--once", words->once, "Draw one picture and end");
  command.flag("--plain", words->plain, "A line for each step; so it is where there is no terminal");
  command.footer("Example: trireme watch runs/squad");
  command.runs([words] { return watch(*words); });
}

}  // namespace trireme::cli
