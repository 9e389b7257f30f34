#include "cli/open_data.h"

#include <filesystem>

#include <ATen/Parallel.h>

#include "core/error.h"
#include "core/log.h"
#include "io/data/documents.h"
#include "io/file.h"
#include "model/config.h"
#include "train/document_rows.h"
#include "train/token_rows.h"

namespace trireme::cli {
namespace {

io::TooLong too_long(const std::string& strategy) {
  if (strategy == "truncate") return io::TooLong::truncate;
  return strategy == "split" ? io::TooLong::split : io::TooLong::drop;
}

io::Documents tokenise_all(const jobs::JobSpec& job) {
  const std::filesystem::path folder(job.base_model);
  const auto tokenizer = io::Tokenizer::from_file((folder / "tokenizer.json").string());
  const std::filesystem::path config = folder / "config.json";
  const model::ModelSpec spec = model::parse_config(io::read_text(config), config.string());
  if (tokenizer.vocabulary_size() > static_cast<std::size_t>(spec.vocabulary))
    fail(ExitCode::configuration,
         "{}: the tokenizer has {} tokens but the model {}; they do not belong together", folder.string(),
         tokenizer.vocabulary_size(), spec.vocabulary);
  io::TextRules rules;
  rules.end_token = io::end_token_of(folder, tokenizer);
  rules.longest = static_cast<std::uint64_t>(job.sequence_len);
  rules.too_long = too_long(job.excess_length_strategy);
  rules.threads = job.dataset_processes > 0 ? static_cast<int>(job.dataset_processes) : at::get_num_threads();
  io::Documents all;
  for (const jobs::DataSet& set : job.datasets) {
    io::DataSource source{set.path, set.format, static_cast<std::uint64_t>(set.start),
                          static_cast<std::uint64_t>(set.end), set.skip_bad_rows};
    source.format.train_on_inputs = job.train_on_inputs;
    all.add(io::tokenise(source, tokenizer, rules));
  }
  return all;
}

std::unique_ptr<const train::RowSource> open_rows(const jobs::JobSpec& job, bool tells) {
  const jobs::DataSet& first = job.datasets.front();
  if (first.type == "tokens") return std::make_unique<train::TokenRows>(first.path, job.sequence_len);
  io::Documents documents = tokenise_all(job);
  const std::uint64_t count = documents.size(), tokens = documents.ids.size(),
                      scored = documents.scored_tokens(), skipped = documents.skipped_rows;
  auto rows =
      std::make_unique<train::DocumentRows>(std::move(documents), job.sequence_len, job.sample_packing);
  if (tells)
    log::info("{} documents of {} tokens, {} of them scored, {} rows skipped; {} rows of {}, {:.1f} % full",
              count, tokens, scored, skipped, rows->rows(), job.sequence_len, 100 * rows->fullness());
  return rows;
}

}  // namespace

train::RowBatches open_data(const jobs::JobSpec& job, bool tells) {
  return {open_rows(job, tells),
          {job.sequence_len, static_cast<std::uint64_t>(job.seed), job.shuffle_merged_datasets}};
}

}  // namespace trireme::cli
