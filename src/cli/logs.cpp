#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/run_words.h"
#include "core/error.h"
#include "train/run_record.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Words {
  std::string run;
  int rank = -1, lines = 40;
  bool follow = false;
};

/// The batch file's newest output, or the first rank's where Slurm did not start the run.
fs::path log_of(const fs::path& run, int rank) {
  const fs::path folder = run / "log";
  if (rank >= 0) return folder / fmt::format("rank-{}.log", rank);
  fs::path newest;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder, problem))
    if (entry.path().filename().string().starts_with("slurm-") &&
        (newest.empty() || fs::last_write_time(entry.path()) > fs::last_write_time(newest)))
      newest = entry.path();
  return newest.empty() ? folder / "rank-0.log" : newest;
}

/// Where the last `lines` lines begin.
std::streamoff tail_of(std::ifstream& file, int lines) {
  constexpr std::streamoff piece = 65536;
  file.seekg(0, std::ios::end);
  const std::streamoff size = file.tellg();
  std::string text;
  for (std::streamoff begin = size; begin > 0;) {
    begin = std::max<std::streamoff>(0, begin - piece);
    text.assign(static_cast<std::size_t>(size - begin), '\0');
    file.seekg(begin);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    int found = 0;
    for (std::size_t at = text.size(); at-- > 0;)
      if (text[at] == '\n' && at + 1 < text.size() && ++found == lines)
        return begin + static_cast<std::streamoff>(at) + 1;
  }
  return 0;
}

int show(const Words& words) {
  const fs::path run = run_folder_of(words.run);
  const fs::path path = log_of(run, words.rank);
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(ExitCode::configuration, "{} cannot be read: has the run begun?", path.string());
  file.seekg(tail_of(file, words.lines));
  std::vector<char> buffer(1 << 16);
  for (;;) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    std::fwrite(buffer.data(), 1, static_cast<std::size_t>(file.gcount()), stdout);
    if (file) continue;
    std::fflush(stdout);
    if (!words.follow || train::read_status(run).state != "running") return 0;
    file.clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

}  // namespace

void add_logs(Command app) {
  Command command = app.subcommand("logs", "Show the end of a run's log");
  auto words = std::make_shared<Words>();
  command.option("run", words->run, "A run folder, a job file, or a Slurm job's id").required();
  command.option("--rank", words->rank, "The log of this rank").within(0, 1 << 20);
  command.option("-n,--lines", words->lines, "How many lines").within(1, 1 << 30).shows_default();
  command.flag("-f,--follow", words->follow, "Go on until the run ends");
  command.footer("Example: trireme logs 4711 --rank 3 -f");
  command.runs([words] { return show(*words); });
}

}  // namespace trireme::cli
