#include "io/strict_json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <set>
#include <vector>

#include "core/error.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

constexpr std::size_t deepest = 32;

/// Boost keeps the last of several equal keys, so a first pass over the events looks for them.
class DuplicateKeys {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);
  using Status = json::error_code;

  bool on_document_begin(Status&) { return true; }
  bool on_document_end(Status&) { return true; }
  bool on_object_begin(Status&) {
    open_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Status&) {
    open_.pop_back();
    return true;
  }
  bool on_array_begin(Status&) { return true; }
  bool on_array_end(std::size_t, Status&) { return true; }
  bool on_key_part(json::string_view part, std::size_t, Status&) {
    key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, Status& status) {
    key_.append(part.data(), part.size());
    if (!open_.back().insert(key_).second) {
      duplicate = key_;
      status = json::error::syntax;
      return false;
    }
    key_.clear();
    return true;
  }
  bool on_string_part(json::string_view, std::size_t, Status&) { return true; }
  bool on_string(json::string_view, std::size_t, Status&) { return true; }
  bool on_number_part(json::string_view, Status&) { return true; }
  bool on_int64(std::int64_t, json::string_view, Status&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, Status&) { return true; }
  bool on_double(double, json::string_view, Status&) { return true; }
  bool on_bool(bool, Status&) { return true; }
  bool on_null(Status&) { return true; }
  bool on_comment_part(json::string_view, Status&) { return true; }
  bool on_comment(json::string_view, Status&) { return true; }

  std::string duplicate;

 private:
  std::vector<std::set<std::string>> open_;
  std::string key_;
};

std::size_t line_of(std::string_view text, std::size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

}  // namespace

json::value parse_strict_json(std::string_view text, const std::string& where) {
  json::parse_options options;
  options.max_depth = deepest;
  json::basic_parser<DuplicateKeys> events(options);
  json::error_code status;
  const std::size_t read = events.write_some(false, text.data(), text.size(), status);
  if (!events.handler().duplicate.empty())
    fail(ExitCode::configuration, "{}, line {}: the key \"{}\" is given twice", where, line_of(text, read),
         events.handler().duplicate);
  if (status)
    fail(ExitCode::configuration, "{}, line {}: not valid JSON: {}", where, line_of(text, read),
         status.message());
  json::value value = json::parse({text.data(), text.size()}, status, {}, options);
  if (status) fail(ExitCode::configuration, "{}: not valid JSON: {}", where, status.message());
  return value;
}

}  // namespace trireme::io
