#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/job_words.h"
#include "cli/open_data.h"
#include "cli/text_sources.h"
#include "core/error.h"
#include "core/log.h"
#include "io/data/token_store.h"

namespace trireme::cli {
namespace {

/// A bar that is drawn over itself on a terminal, and a line at each tenth elsewhere.
class Bar {
 public:
  explicit Bar(std::string name) : name_(std::move(name)) {}

  void tell(const io::PrepareProgress& progress) {
    const double share =
        progress.rows == 0 ? 1 : static_cast<double>(progress.rows_done) / static_cast<double>(progress.rows);
    const int tenth = static_cast<int>(share * 10);
    if (!on_terminal_ && tenth == last_tenth_) return;
    last_tenth_ = tenth;
    constexpr int width = 30;
    const int full = static_cast<int>(share * width);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    fmt::print(stderr, "{}{}  [{}{}] {:3.0f} %  {} rows, {} tokens, {:.2f} M tokens/s{}",
               on_terminal_ ? "\r" : "", name_, std::string(static_cast<std::size_t>(full), '#'),
               std::string(static_cast<std::size_t>(width - full), '.'), 100 * share, progress.rows_done,
               progress.tokens, static_cast<double>(progress.tokens) / 1e6 / std::max(seconds, 1e-6),
               on_terminal_ && progress.rows_done < progress.rows ? "" : "\n");
  }

 private:
  std::string name_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  bool on_terminal_ = isatty(STDERR_FILENO) != 0;
  int last_tenth_ = -1;
};

int prepare_job(const JobWords& words, bool as_json) {
  log::configure("prepare", log::Level::info);
  const jobs::JobSpec job = load(words);
  if (job.datasets.front().is_token_array())
    fail(ExitCode::configuration, "{} holds tokens already; there is nothing to prepare",
         job.datasets.front().path);
  if (job.dataset_prepared_path.empty())
    fail(ExitCode::configuration, "set dataset_prepared_path to the folder that the tokens go to");
  const TextSources text = open_text_sources(job);
  for (const io::DataSource& source : text.sources) {
    Bar bar(source.path.filename().string());
    io::PrepareProgress last;
    io::prepare_store(job.dataset_prepared_path, source, text.tokenizer, text.rules, job.base_model,
                      [&](const io::PrepareProgress& progress) {
                        last = progress;
                        bar.tell(progress);
                      });
    const std::string folder =
        (std::filesystem::path(job.dataset_prepared_path) / io::store_key(source, text.rules, job.base_model))
            .string();
    if (as_json) {
      fmt::print(
          R"({{"path": "{}", "store": "{}", "rows": {}, "documents": {}, "tokens": {}, "skipped_rows": {}, "parts": {}, "kept_parts": {}}})"
          "\n",
          source.path.string(), folder, last.rows, last.documents, last.tokens, last.skipped, last.parts,
          last.kept_parts);
    } else {
      fmt::print("{}: {} documents of {} tokens, {} rows skipped, {} of {} parts were there already; {}\n",
                 source.path.string(), last.documents, last.tokens, last.skipped, last.kept_parts, last.parts,
                 folder);
    }
  }
  open_data(job, true);
  return 0;
}

}  // namespace

void add_prepare(Command app) {
  Command command =
      app.subcommand("prepare", "Tokenise a job's datasets once, for all runs that train on them");
  auto words = std::make_shared<JobWords>();
  auto as_json = std::make_shared<bool>(false);
  add_job_words(command, *words);
  command.flag("--json", *as_json, "One JSON object for each dataset");
  command.footer("Example: trireme prepare job.yaml dataset_prepared_path=prepared");
  command.runs([words, as_json] { return prepare_job(*words, *as_json); });
}

}  // namespace trireme::cli
