#include "io/data/json_lines.h"

#include <algorithm>

#include "core/error.h"
#include "io/strict_json.h"

namespace trireme::io {

boost::json::object parse_row(std::string_view line, const std::string& where) {
  try {
    boost::json::value value = parse_strict_json(line, where);
    if (value.is_object()) return std::move(value.as_object());
  } catch (const Error& error) {
    fail(ExitCode::damaged, "{}", error.what());
  }
  fail(ExitCode::damaged, "{}: is not a JSON object", where);
}

JsonLines::JsonLines(const std::filesystem::path& path) : file_(File::open_for_reading(path)) {
  constexpr std::uint64_t block = std::uint64_t{4} << 20;
  const std::uint64_t size = file_.size();
  std::string buffer(std::min(block, size), '\0');
  std::uint64_t begin = 0, line = 1;
  bool blank = true;
  for (std::uint64_t at = 0; at < size; at += block) {
    const std::size_t count = std::min(block, size - at);
    file_.read(at, std::as_writable_bytes(std::span(buffer.data(), count)));
    std::size_t first = 0;
    if (at == 0 && buffer.starts_with("\xEF\xBB\xBF")) begin = first = 3;
    for (std::size_t i = first; i < count; ++i) {
      const char letter = buffer[i];
      if (letter == '\n') {
        note(begin, at + i, line++, blank);
        begin = at + i + 1, blank = true;
      } else if (blank && letter != ' ' && letter != '\t' && letter != '\r') {
        blank = false;
      }
    }
  }
  note(begin, size, line, blank);
}

void JsonLines::note(std::uint64_t begin, std::uint64_t end, std::uint64_t line, bool blank) {
  if (blank) return;
  begin_.push_back(begin), end_.push_back(end), line_.push_back(static_cast<std::uint32_t>(line));
}

std::string JsonLines::where(std::uint64_t row) const {
  return fmt::format("{}:{}", file_.path().string(), line_[row]);
}

boost::json::object JsonLines::read(std::uint64_t row) const {
  std::string line(end_[row] - begin_[row], '\0');
  file_.read(begin_[row], std::as_writable_bytes(std::span(line)));
  return parse_row(line, where(row));
}

}  // namespace trireme::io
