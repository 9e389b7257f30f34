#include "io/data/row_file.h"

#include <array>
#include <span>

#include "core/error.h"
#include "io/strict_json.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io {
namespace {

RowKind kind_of(const std::filesystem::path& path) {
  const std::string end = path.extension().string();
  if (end == ".jsonl" || end == ".json" || end == ".ndjson") return RowKind::json;
  if (end == ".csv" || end == ".tsv") return RowKind::csv;
  if (end == ".txt" || end == ".text" || end == ".md") return RowKind::lines;
  for (const char* other : {".parquet", ".arrow", ".gz", ".zst", ".zip", ".xz"})
    if (end == other)
      fail(ExitCode::configuration,
           "{}: {} files are not read; write the rows as .jsonl, .json, .csv or .txt", path.string(), end);
  return RowKind::json;
}

File open_file(const std::filesystem::path& path) {
  std::error_code unseen;
  if (std::filesystem::is_directory(path, unseen))
    fail(ExitCode::configuration, "{} is a folder; name a file of .jsonl, .json, .csv, .tsv or .txt in it",
         path.string());
  return File::open_for_reading(path);
}

RowPlaces places_of(const File& file, RowKind kind) {
  switch (kind) {
    case RowKind::csv:
      return find_records(file);
    case RowKind::paragraphs:
      return find_paragraphs(file);
    case RowKind::document:
      return find_whole(file);
    case RowKind::json:
      return first_letter(file) == '[' ? find_elements(file) : find_lines(file);
    default:
      return find_lines(file);
  }
}

std::string bytes_of(const File& file, const RowPlaces& places, std::uint64_t row) {
  std::string bytes(places.end[row] - places.begin[row], '\0');
  file.read(places.begin[row], std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

void check_text(std::string_view text, const std::string& where) {
  if (const std::size_t valid = unicode::valid_prefix(text); valid != text.size())
    fail(ExitCode::damaged, "{}: byte {} of the row is not valid UTF-8", where, valid);
}

}  // namespace

boost::json::object parse_row(std::string_view line, const std::string& where) {
  try {
    boost::json::value value = parse_strict_json(line, where);
    if (value.is_object()) return std::move(value.as_object());
  } catch (const Error& error) {
    fail(ExitCode::damaged, "{}", error.what());
  }
  fail(ExitCode::damaged, "{}: is not a JSON object", where);
}

std::vector<std::string> parse_record(std::string_view record, char separator, const std::string& where) {
  if (record.ends_with('\r')) record.remove_suffix(1);
  std::vector<std::string> fields(1);
  bool quoted = false, was_quoted = false;
  for (std::size_t i = 0; i < record.size(); ++i) {
    const char letter = record[i];
    std::string& field = fields.back();
    if (quoted) {
      if (letter != '"') {
        field += letter;
      } else if (i + 1 < record.size() && record[i + 1] == '"') {
        field += record[++i];
      } else {
        quoted = false;
      }
    } else if (letter == separator) {
      fields.emplace_back();
      was_quoted = false;
    } else if (letter == '"' && field.empty() && !was_quoted) {
      quoted = was_quoted = true;
    } else if (letter == '"' || was_quoted) {
      fail(ExitCode::damaged, "{}: field {} has a quote in its middle; double it and quote the whole field",
           where, fields.size());
    } else {
      field += letter;
    }
  }
  if (quoted) fail(ExitCode::damaged, "{}: field {} has a quote that is not closed", where, fields.size());
  return fields;
}

RowFile::RowFile(const std::filesystem::path& path, RowKind kind)
    : file_(open_file(path)), kind_(kind == RowKind::automatic ? kind_of(path) : kind) {
  if (path.extension() == ".tsv") separator_ = '\t';
  places_ = places_of(file_, kind_);
  if (kind_ != RowKind::csv || rows() == 0) return;
  const std::string first = bytes_of(file_, places_, 0);
  check_text(first, where(0));
  header_ = parse_record(first, separator_, where(0));
  for (std::size_t i = 0; i < header_.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (header_[i] == header_[j])
        fail(ExitCode::damaged, "{}: two fields are named \"{}\"", where(0), header_[i].substr(0, 80));
  places_.begin.erase(places_.begin.begin()), places_.end.erase(places_.end.begin());
  places_.line.erase(places_.line.begin());
}

std::string RowFile::where(std::uint64_t row) const {
  return fmt::format("{}:{}", file_.path().string(), places_.line[row]);
}

boost::json::object RowFile::read(std::uint64_t row) const {
  std::string bytes = bytes_of(file_, places_, row);
  if (kind_ == RowKind::json) return parse_row(bytes, where(row));
  check_text(bytes, where(row));
  boost::json::object object;
  if (kind_ != RowKind::csv) {
    if (bytes.ends_with('\r')) bytes.pop_back();
    object["text"] = bytes;
    return object;
  }
  const auto fields = parse_record(bytes, separator_, where(row));
  if (fields.size() != header_.size())
    fail(ExitCode::damaged, "{}: has {} fields but the header names {}", where(row), fields.size(),
         header_.size());
  for (std::size_t i = 0; i < fields.size(); ++i) object[header_[i]] = fields[i];
  return object;
}

}  // namespace trireme::io
