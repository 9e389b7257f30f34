#include "io/data/row_places.h"

#include <algorithm>
#include <span>
#include <string>

#include "core/error.h"

namespace trireme::io {
namespace {

bool is_blank(char letter) {
  return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n';
}

/// Calls with each byte and its place until `take` returns false.
template <typename Take>
void each_byte(const File& file, Take take) {
  constexpr std::uint64_t block = std::uint64_t{4} << 20;
  const std::uint64_t size = file.size();
  std::string buffer(std::min(block, size), '\0');
  for (std::uint64_t at = 0; at < size; at += block) {
    const std::size_t count = std::min(block, size - at);
    file.read(at, std::as_writable_bytes(std::span(buffer.data(), count)));
    const std::size_t first = at == 0 && buffer.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    for (std::size_t i = first; i < count; ++i)
      if (!take(at + i, buffer[i])) return;
  }
}

}  // namespace

char first_letter(const File& file) {
  char found = 0;
  each_byte(file, [&](std::uint64_t, char letter) {
    if (!is_blank(letter)) found = letter;
    return found == 0;
  });
  return found;
}

RowPlaces find_lines(const File& file) {
  RowPlaces places;
  std::uint64_t line = 1, begin = 0;
  bool blank = true;
  each_byte(file, [&](std::uint64_t at, char letter) {
    if (letter == '\n') {
      if (!blank) places.add(begin, at, line);
      ++line, blank = true;
    } else if (blank && !is_blank(letter)) {
      begin = at, blank = false;
    }
    return true;
  });
  if (!blank) places.add(begin, file.size(), line);
  return places;
}

RowPlaces find_paragraphs(const File& file) {
  RowPlaces places;
  std::uint64_t line = 1, begin = 0, end = 0, first_line = 1;
  bool inside = false, blank = true;
  each_byte(file, [&](std::uint64_t at, char letter) {
    if (letter == '\n') {
      if (blank && inside) places.add(begin, end, first_line), inside = false;
      ++line, blank = true;
    } else if (!is_blank(letter)) {
      if (!inside) begin = at, first_line = line, inside = true;
      blank = false, end = at + 1;
    }
    return true;
  });
  if (inside) places.add(begin, end, first_line);
  return places;
}

RowPlaces find_whole(const File& file) {
  RowPlaces places;
  if (first_letter(file) == 0) return places;
  std::uint64_t begin = file.size();
  each_byte(file, [&](std::uint64_t at, char) {
    begin = at;
    return false;
  });
  places.add(begin, file.size(), 1);
  return places;
}

RowPlaces find_elements(const File& file) {
  RowPlaces places;
  std::uint64_t line = 1, begin = 0, first_line = 1, depth = 0;
  bool in_text = false, escaped = false, inside = false, ended = false;
  const auto finish = [&](std::uint64_t at) {
    if (inside) places.add(begin, at, first_line);
    inside = false;
  };
  each_byte(file, [&](std::uint64_t at, char letter) {
    if (letter == '\n') ++line;
    if (in_text) {
      if (escaped) {
        escaped = false;
      } else if (letter == '\\') {
        escaped = true;
      } else if (letter == '"') {
        in_text = false;
      }
      return true;
    }
    if (is_blank(letter)) return true;
    if (ended) fail(ExitCode::damaged, "{}:{}: something follows the array", file.path().string(), line);
    if (depth == 0) {
      if (letter != '[') fail(ExitCode::damaged, "{}: is not a JSON array", file.path().string());
      depth = 1;
      return true;
    }
    if (depth == 1 && letter == ',') return finish(at), true;
    if (depth == 1 && letter == ']') return finish(at), ended = true;
    if (!inside) begin = at, first_line = line, inside = true;
    if (letter == '"') in_text = true;
    if (letter == '{' || letter == '[') ++depth;
    if ((letter == '}' || letter == ']') && depth > 1) --depth;
    return true;
  });
  if (!ended) fail(ExitCode::damaged, "{}: the array does not end; the file was cut", file.path().string());
  return places;
}

RowPlaces find_records(const File& file) {
  RowPlaces places;
  std::uint64_t line = 1, begin = 0, first_line = 1;
  bool quoted = false, blank = true;
  each_byte(file, [&](std::uint64_t at, char letter) {
    if (letter == '"') quoted = !quoted;
    if (letter == '\n') ++line;
    if (letter == '\n' && !quoted) {
      if (!blank) places.add(begin, at, first_line);
      blank = true;
    } else if (blank && letter != '\r' && letter != '\n') {
      begin = at, first_line = line, blank = false;
    }
    return true;
  });
  if (quoted)
    fail(ExitCode::damaged, "{}:{}: a quote is opened and not closed", file.path().string(),
         blank ? line : first_line);
  if (!blank) places.add(begin, file.size(), first_line);
  return places;
}

}  // namespace trireme::io
