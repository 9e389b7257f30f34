#include "io/data/token_store.h"

#include <algorithm>
#include <boost/json.hpp>

#include "core/error.h"
#include "io/checkpoint/digest.h"
#include "io/file.h"
#include "io/run_lock.h"
#include "io/strict_json.h"

namespace trireme::io {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

/// Raised when the same rows would give other tokens or another layout.
constexpr int store_version = 1;

json::object describe(const PromptFormat& format) {
  const ChatFormat& chat = format.chat;
  json::object roles;
  for (const auto& [name, role] : chat.roles) roles[name] = role;
  return {
      {"kind", static_cast<int>(format.kind)},
      {"field", format.field},
      {"system_prompt", format.system_prompt},
      {"system_format", format.system_format},
      {"fields", {format.field_system, format.field_instruction, format.field_input, format.field_output}},
      {"format", format.format},
      {"no_input_format", format.no_input_format},
      {"train_on_inputs", format.train_on_inputs},
      {"template", {chat.chat_template, chat.source}},
      {"chat_fields",
       {chat.field_messages, chat.field_tools, chat.field_system, chat.role_field, chat.content_field,
        chat.training_field}},
      {"roles", roles},
      {"roles_to_train", json::value_from(chat.roles_to_train)},
      {"train_on_eos", static_cast<int>(chat.train_on_eos)},
      {"date", chat.source.find("strftime_now") == std::string::npos ? "" : chat.date},
      {"eot_tokens", json::value_from(chat.eot_tokens)},
      {"drop_system_message", chat.drop_system_message}};
}

std::string digest_of_file(const fs::path& path) {
  return fs::exists(path) ? file_digest(File::open_for_reading(path)) : "none";
}

std::int64_t time_of(const fs::path& path) {
  return fs::last_write_time(path).time_since_epoch().count();
}

/// Whether the rows are those that the store was made of: the same file by size and time, or else by its
/// digest.
bool is_same_source(const fs::path& record, const fs::path& source) {
  if (!fs::exists(record)) return false;
  try {
    const json::value value = parse_strict_json(read_text(record), record.string());
    const json::object& object = value.as_object();
    if (object.at("bytes").to_number<std::uint64_t>() != fs::file_size(source)) return false;
    return object.at("time").to_number<std::int64_t>() == time_of(source) ||
           std::string(object.at("digest").as_string()) == digest_of_file(source);
  } catch (const std::exception&) {
    return false;
  }
}

void write_source(const fs::path& record, const fs::path& source) {
  const json::object object{{"path", source.string()},
                            {"bytes", fs::file_size(source)},
                            {"time", time_of(source)},
                            {"digest", digest_of_file(source)}};
  write_text_atomically(record, json::serialize(object) + "\n");
}

/// Rows in parts of about so many bytes: the same at every start.
std::vector<RowRange> parts_of(const RowFile& file, RowRange rows, std::uint64_t bytes_a_part) {
  std::vector<RowRange> parts;
  std::uint64_t first = rows.first;
  for (std::uint64_t row = rows.first; row < rows.last; ++row) {
    const bool ends = row + 1 == rows.last || file.offset(row + 1) - file.offset(first) >= bytes_a_part;
    if (!ends) continue;
    parts.push_back({first, row + 1});
    first = row + 1;
  }
  return parts;
}

}  // namespace

TokenStore::TokenStore(std::vector<TokenPart> parts) : parts_(std::move(parts)) {
  std::uint64_t end = 0;
  for (const TokenPart& part : parts_) ends_.push_back(end += part.size());
}

DocumentView TokenStore::document(std::uint64_t index) const {
  const auto part =
      static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin());
  return parts_[part].document(part == 0 ? index : index - ends_[part - 1]);
}

std::uint64_t TokenStore::skipped() const {
  std::uint64_t count = 0;
  for (const TokenPart& part : parts_) count += part.record().skipped;
  return count;
}

std::string store_key(const DataSource& source, const TextRules& rules, const fs::path& model_folder) {
  const json::object object{{"version", store_version},
                            {"path", fs::absolute(source.path).lexically_normal().string()},
                            {"format", describe(source.format)},
                            {"rows", {source.first, source.last}},
                            {"skip_bad_rows", source.skip_bad_rows},
                            {"kind", static_cast<int>(source.kind)},
                            {"end_token", rules.end_token},
                            {"longest", rules.longest},
                            {"too_long", static_cast<int>(rules.too_long)},
                            {"vocabulary", rules.vocabulary},
                            {"tokenizer", digest_of_file(model_folder / "tokenizer.json")},
                            {"tokenizer_config", digest_of_file(model_folder / "tokenizer_config.json")}};
  return text_digest(json::serialize(object));
}

std::shared_ptr<const TokenStore> prepare_store(const fs::path& root, const DataSource& source,
                                                const Tokenizer& tokenizer, const TextRules& rules,
                                                const fs::path& model_folder, const TellProgress& tell,
                                                std::uint64_t bytes_a_part) {
  const fs::path folder = root / store_key(source, rules, model_folder);
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) fail(ExitCode::configuration, "{} cannot be made: {}", folder.string(), problem.message());
  const RowFile file(source.path, source.kind);
  const RunLock lock(folder, "trireme prepare", RunLock::as_long_as_it_takes);
  if (!is_same_source(folder / "source.json", source.path)) {
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().filename().string().starts_with("part-")) fs::remove(entry.path());
    write_source(folder / "source.json", source.path);
  }
  const RowRange rows = rows_of(source, file);
  const std::vector<RowRange> ranges = parts_of(file, rows, bytes_a_part);
  PrepareProgress progress;
  progress.rows = rows.last - rows.first, progress.parts = ranges.size();
  std::vector<TokenPart> parts;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    std::optional<PartRecord> record = read_part_record(folder, i, ranges[i]);
    if (record) {
      ++progress.kept_parts;
    } else {
      record = write_part(folder, i, ranges[i], tokenise(source, file, ranges[i], tokenizer, rules));
    }
    parts.emplace_back(folder, i, *record);
    progress.rows_done += ranges[i].last - ranges[i].first;
    progress.documents += record->documents, progress.tokens += record->tokens,
        progress.skipped += record->skipped;
    if (tell) tell(progress);
  }
  return std::make_shared<const TokenStore>(std::move(parts));
}

}  // namespace trireme::io
