#include "cli/open_data.h"

#include <memory>

#include "cli/text_sources.h"
#include "core/log.h"
#include "io/data/joined_documents.h"
#include "io/data/mixture.h"
#include "io/data/token_store.h"
#include "train/document_rows.h"
#include "train/token_rows.h"

namespace trireme::cli {
namespace {

using Source = std::shared_ptr<const io::DocumentSource>;

std::shared_ptr<const io::JoinedDocuments> documents_of(const jobs::JobSpec& job) {
  const TextSources text = open_text_sources(job);
  std::vector<Source> sources;
  for (const io::DataSource& source : text.sources) {
    if (!job.dataset_prepared_path.empty()) {
      sources.push_back(io::prepare_store(job.dataset_prepared_path, source, text.tokenizer, text.rules,
                                          job.base_model, {}));
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

OpenedData open_text(const jobs::JobSpec& job, bool tells) {
  const auto documents = documents_of(job);
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
  const auto rows_of = [&](std::vector<std::uint32_t> chosen) {
    return std::make_unique<train::DocumentRows>(documents, std::move(chosen), job.sequence_len,
                                                 job.sample_packing);
  };
  const bool evaluates = !mixture.validation.empty();
  auto training = rows_of(std::move(mixture.training));
  if (tells)
    log::info("{} rows of {} tokens, {:.1f} % full", training->rows(), job.sequence_len,
              100 * training->fullness());
  OpenedData data{{std::move(training), order_of(job, job.shuffle_merged_datasets)}, std::nullopt};
  if (evaluates) data.validation.emplace(rows_of(std::move(mixture.validation)), order_of(job, false));
  return data;
}

}  // namespace

OpenedData open_data(const jobs::JobSpec& job, bool tells) {
  const jobs::DataSet& first = job.datasets.front();
  if (!first.is_token_array()) return open_text(job, tells);
  return {{std::make_unique<train::TokenRows>(first.path, job.sequence_len),
           order_of(job, job.shuffle_merged_datasets)},
          std::nullopt};
}

}  // namespace trireme::cli
