#include "cli/open_data.h"

#include <filesystem>
#include <memory>
#include <numeric>

#include "cli/text_sources.h"
#include "core/error.h"
#include "core/log.h"
#include "io/data/joined_documents.h"
#include "io/data/mixture.h"
#include "io/data/token_store.h"
#include "io/file.h"
#include "model/config.h"
#include "train/document_rows.h"
#include "train/token_rows.h"

namespace trireme::cli {
namespace {

using Source = std::shared_ptr<const io::DocumentSource>;
using GoesOn = std::function<void()>;

std::shared_ptr<const io::JoinedDocuments> documents_of(const jobs::JobSpec& job, const TextSources& text,
                                                        const GoesOn& goes_on) {
  std::vector<Source> sources;
  for (const io::DataSource& source : text.sources) {
    goes_on();
    if (!job.dataset_prepared_path.empty()) {
      sources.push_back(io::prepare_store(job.dataset_prepared_path, source, text.tokenizer, text.rules,
                                          job.base_model, [&](const io::PrepareProgress&) { goes_on(); }));
      continue;
    }
    sources.push_back(
        std::make_shared<const io::Documents>(io::tokenise(source, text.tokenizer, text.rules)));
  }
  return std::make_shared<const io::JoinedDocuments>(std::move(sources));
}

void tell(const io::DocumentSource& documents, const std::vector<std::uint32_t>& chosen,
          const char* purpose) {
  std::uint64_t tokens = 0, scored = 0;
  for (const std::uint32_t index : chosen) {
    const io::DocumentView document = documents.document(index);
    tokens += document.ids.size();
    for (const std::uint8_t is_scored : document.scored) scored += is_scored;
  }
  log::info("{} documents of {} tokens, {} of them scored, {}", chosen.size(), tokens, scored, purpose);
}

train::RowOrder order_of(const jobs::JobSpec& job, bool shuffle) {
  return {job.sequence_len, static_cast<std::uint64_t>(job.seed), shuffle};
}

std::unique_ptr<train::DocumentRows> rows_of(const jobs::JobSpec& job,
                                             const std::shared_ptr<const io::JoinedDocuments>& documents,
                                             std::vector<std::uint32_t> chosen) {
  return std::make_unique<train::DocumentRows>(documents, std::move(chosen), job.sequence_len,
                                               job.sample_packing);
}

EvaluationSet evaluation_set(const jobs::JobSpec& job, const std::string& name,
                             const std::shared_ptr<const io::JoinedDocuments>& documents,
                             const std::vector<std::uint32_t>& chosen) {
  auto questions = train::questions_of(*documents, chosen, job.eval_generate_rows);
  if (job.eval_generate_rows > 0 && questions.empty())
    fail(ExitCode::configuration,
         "eval_generate_rows: no row of the evaluation set {} has a prompt before its answer", name);
  return {name, {rows_of(job, documents, chosen), order_of(job, false)}, std::move(questions)};
}

std::unique_ptr<train::TokenRows> token_rows(const jobs::JobSpec& job, const std::string& path) {
  const std::filesystem::path config = std::filesystem::path(job.base_model) / "config.json";
  const model::ModelSpec spec = model::parse_config(io::read_text(config), config.string());
  return std::make_unique<train::TokenRows>(path, job.sequence_len, spec.vocabulary);
}

EvaluationSet open_test_set(const jobs::JobSpec& job, const jobs::DataSet& set, bool tells,
                            const GoesOn& goes_on) {
  jobs::JobSpec alone = job;
  alone.datasets = {set};
  if (set.is_token_array()) return {set.shown_name(), {token_rows(job, set.path), order_of(job, false)}, {}};
  const auto documents = documents_of(alone, open_text_sources(alone), goes_on);
  std::vector<std::uint32_t> all(documents->size());
  std::iota(all.begin(), all.end(), std::uint32_t{0});
  if (tells) tell(*documents, all, ("to evaluate on as " + set.shown_name()).c_str());
  return evaluation_set(job, set.shown_name(), documents, all);
}

OpenedData open_text(const jobs::JobSpec& job, bool tells, const GoesOn& goes_on) {
  TextSources text = open_text_sources(job);
  const auto documents = documents_of(job, text, goes_on);
  io::MixtureRules rules;
  rules.ends = documents->ends();
  for (const jobs::DataSet& set : job.datasets) rules.weights.push_back(set.weight);
  rules.validation = job.val_set_size;
  rules.drop_duplicates = job.dataset_exact_deduplication;
  rules.seed = static_cast<std::uint64_t>(job.seed);
  io::Mixture mixture = io::mix(*documents, rules);
  if (tells) {
    tell(*documents, mixture.training, "to train on");
    if (!mixture.validation.empty()) tell(*documents, mixture.validation, "held back");
    if (mixture.duplicates > 0) log::info("{} duplicates left out", mixture.duplicates);
    if (mixture.unscored > 0)
      log::info("{} documents left out, of which nothing is scored", mixture.unscored);
    if (documents->skipped() > 0) log::info("{} rows skipped", documents->skipped());
  }
  auto training = rows_of(job, documents, std::move(mixture.training));
  if (tells)
    log::info("{} rows of {} tokens, {:.1f} % full", training->rows(), job.sequence_len,
              100 * training->fullness());
  OpenedData data{{std::move(training), order_of(job, job.shuffle_merged_datasets)},
                  {},
                  std::make_shared<const io::Tokenizer>(std::move(text.tokenizer)),
                  text.rules.end_token};
  if (!mixture.validation.empty())
    data.evaluation.push_back(evaluation_set(job, "held_out", documents, mixture.validation));
  return data;
}

OpenedData open_tokens(const jobs::JobSpec& job) {
  return {{token_rows(job, job.datasets.front().path), order_of(job, job.shuffle_merged_datasets)},
          {},
          nullptr,
          -1};
}

}  // namespace

OpenedData open_data(const jobs::JobSpec& job, bool tells, const GoesOn& goes_on) {
  OpenedData data = job.datasets.front().is_token_array() ? open_tokens(job) : open_text(job, tells, goes_on);
  for (const jobs::DataSet& set : job.test_datasets)
    data.evaluation.push_back(open_test_set(job, set, tells, goes_on));
  if (!data.tokenizer && job.eval_generate_rows > 0) {
    TextSources text = open_text_sources(job);
    data.end_token = text.rules.end_token;
    data.tokenizer = std::make_shared<const io::Tokenizer>(std::move(text.tokenizer));
  }
  return data;
}

}  // namespace trireme::cli
