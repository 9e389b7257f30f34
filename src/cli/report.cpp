#include "train/report/report.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/run_words.h"
#include "io/file.h"

namespace trireme::cli {
namespace {

struct Words {
  std::vector<std::string> runs;
  std::string output;
};

int write(const Words& words) {
  std::vector<train::RunRecord> runs;
  for (const std::string& word : words.runs) runs.push_back(train::read_run(run_folder_of(word)));
  const std::filesystem::path output =
      words.output.empty() ? runs.front().folder / "report.html" : std::filesystem::path(words.output);
  io::write_text_atomically(output, train::report_page(runs));
  fmt::print("{}\n", output.string());
  return 0;
}

}  // namespace

void add_report(Command app) {
  Command command = app.subcommand("report", "Write one page about a run, or several beside each other");
  auto words = std::make_shared<Words>();
  command.option("run", words->runs, "Run folders, job files, or ids of Slurm jobs").required();
  command.option("-o,--output", words->output, "The page; report.html in the first run folder otherwise");
  command.footer("Example: trireme report runs/squad runs/squad-zero3 -o compare.html");
  command.runs([words] { return write(*words); });
}

}  // namespace trireme::cli
