#include "cli/text_sources.h"

#include <ctime>
#include <filesystem>

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "core/error.h"
#include "io/data/tokenizer_config.h"
#include "io/file.h"
#include "model/config.h"

namespace trireme::cli {
namespace {

io::TooLong too_long(const std::string& strategy) {
  if (strategy == "truncate") return io::TooLong::truncate;
  return strategy == "split" ? io::TooLong::split : io::TooLong::drop;
}

io::RowKind row_kind(const jobs::DataSet& set) {
  if (set.ds_type == "json") return io::RowKind::json;
  if (set.ds_type == "csv") return io::RowKind::csv;
  const std::string end = std::filesystem::path(set.path).extension().string();
  const bool is_text = set.ds_type == "text" || end == ".txt" || end == ".text" || end == ".md";
  if (!is_text) return io::RowKind::automatic;
  if (set.sample_by == "paragraph") return io::RowKind::paragraphs;
  return set.sample_by == "document" ? io::RowKind::document : io::RowKind::lines;
}

/// A template in the job file, or the name of a file that holds it.
std::string template_or_file(const std::string& given) {
  if (given.find("{%") != std::string::npos || given.find("{{") != std::string::npos) return given;
  return io::read_text(given, 1 << 20);
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

io::PromptFormat format_of(const jobs::JobSpec& job, const jobs::DataSet& set) {
  io::PromptFormat format = set.format;
  format.train_on_inputs = job.train_on_inputs;
  if (set.type == "tokens") format.kind = io::PromptFormat::Kind::tokens;
  io::ChatFormat& chat = format.chat;
  if (chat.chat_template.empty())
    chat.chat_template = job.chat_template, chat.source = job.chat_template_jinja;
  if (chat.chat_template == "jinja") chat.source = template_or_file(chat.source);
  chat.eot_tokens = job.eot_tokens;
  chat.date = job.chat_template_date == "today" ? today() : job.chat_template_date;
  return format;
}

}  // namespace

TextSources open_text_sources(const jobs::JobSpec& job) {
  const std::filesystem::path folder(job.base_model);
  TextSources text{io::Tokenizer::from_file((folder / "tokenizer.json").string()), {}, {}};
  const std::filesystem::path config = folder / "config.json";
  const model::ModelSpec spec = model::parse_config(io::read_text(config), config.string());
  if (text.tokenizer.vocabulary_size() > static_cast<std::size_t>(spec.vocabulary))
    fail(ExitCode::configuration,
         "{}: the tokenizer has {} tokens but the model {}; they do not belong together", folder.string(),
         text.tokenizer.vocabulary_size(), spec.vocabulary);
  text.rules.end_token = io::end_token_of(folder, text.tokenizer);
  text.rules.longest = static_cast<std::uint64_t>(job.sequence_len);
  text.rules.too_long = too_long(job.excess_length_strategy);
  text.rules.threads =
      job.dataset_processes > 0 ? static_cast<int>(job.dataset_processes) : at::get_num_threads();
  text.rules.vocabulary = static_cast<std::uint64_t>(spec.vocabulary);
  for (const jobs::DataSet& set : job.datasets) {
    io::DataSource source{set.path,
                          format_of(job, set),
                          static_cast<std::uint64_t>(set.start),
                          static_cast<std::uint64_t>(set.end),
                          set.skip_bad_rows,
                          row_kind(set)};
    if (source.format.kind == io::PromptFormat::Kind::chat) {
      source.format.chat.source = io::chat_template_source(source.format.chat, folder);
      source.format.chat.chat_template = "jinja";
      source.chat =
          std::make_shared<const io::Chat>(source.format.chat, folder, text.tokenizer, job.train_on_inputs);
    }
    text.sources.push_back(std::move(source));
  }
  return text;
}

}  // namespace trireme::cli
