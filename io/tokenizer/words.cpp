#include "io/tokenizer/words.h"

#include <array>
#include <cstdint>
#include <utility>

#include "io/tokenizer/unicode.h"

namespace trireme::io {
namespace {

using unicode::letter;
using unicode::number;
using unicode::space;

/// A character and its class; past the end a character of no class and no length.
struct Cursor {
  std::string_view text;
  std::size_t at;
  char32_t point = 0;
  std::uint8_t kind = 0;
  std::size_t bytes = 0;

  Cursor(std::string_view whole, std::size_t start) : text(whole), at(start) { load(); }
  bool done() const { return bytes == 0; }
  bool is(std::uint8_t wanted) const { return (kind & wanted) != 0; }
  /// Neither letter, number nor space.
  bool other() const { return bytes != 0 && !is(letter | number | space); }
  bool newline() const { return bytes != 0 && (point == '\n' || point == '\r'); }
  void next() {
    at += bytes;
    load();
  }
  void load() {
    if (at >= text.size()) {
      point = 0, kind = 0, bytes = 0;
      return;
    }
    const unicode::Decoded decoded = unicode::decode(text, at);
    point = decoded.point;
    kind = unicode::class_of(point);
    bytes = static_cast<std::size_t>(decoded.bytes);
  }
  void skip(std::uint8_t wanted) {
    while (is(wanted)) next();
  }
  void skip_other() {
    while (other()) next();
  }
};

constexpr char32_t long_s = 0x17f;  // folds to s

char fold(const Cursor& cursor, bool any_case) {
  if (cursor.point < 0x80) {
    const char c = static_cast<char>(cursor.point);
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  return any_case && cursor.point == long_s ? 's' : '\0';
}

/// End of 's 't 're 've 'm 'll 'd at `at`; `at` itself when there is none.
std::size_t contraction_end(std::string_view text, std::size_t at, bool any_case) {
  Cursor cursor(text, at + 1);
  const char first = fold(cursor, any_case);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return cursor.at + cursor.bytes;
  constexpr std::array<std::pair<char, char>, 3> pairs{{{'r', 'e'}, {'v', 'e'}, {'l', 'l'}}};
  for (const auto& [one, two] : pairs) {
    if (first != one) continue;
    cursor.next();
    if (!cursor.done() && fold(cursor, any_case) == two) return cursor.at + cursor.bytes;
    break;
  }
  return at;
}

/// A run of spaces gives its last one to the word after it, unless the text ends or the run is that one
/// alone.
std::size_t spaces_end(std::string_view text, std::size_t at) {
  Cursor cursor(text, at);
  std::size_t last = at;
  while (cursor.is(space)) {
    last = cursor.at;
    cursor.next();
  }
  return cursor.done() || last == at ? cursor.at : last;
}

std::size_t newlines_end(std::string_view text, std::size_t at) {
  std::size_t end = at;
  for (Cursor cursor(text, at); cursor.is(space);) {
    const bool newline = cursor.newline();
    cursor.next();
    if (newline) end = cursor.at;
  }
  return end;
}

std::size_t gpt2_word_end(std::string_view text, std::size_t at) {
  Cursor cursor(text, at);
  if (cursor.point == '\'') {
    const std::size_t end = contraction_end(text, at, false);
    if (end != at) return end;
  }
  Cursor start = cursor;
  if (start.point == ' ') start.next();
  for (const std::uint8_t wanted : {letter, number}) {
    if (!start.is(wanted)) continue;
    start.skip(wanted);
    return start.at;
  }
  if (start.other()) {
    start.skip_other();
    return start.at;
  }
  return spaces_end(text, at);
}

std::size_t modern_word_end(std::string_view text, std::size_t at, std::size_t digits) {
  Cursor cursor(text, at);
  if (cursor.point == '\'') {
    const std::size_t end = contraction_end(text, at, true);
    if (end != at) return end;
  }
  if (cursor.is(letter)) {
    cursor.skip(letter);
    return cursor.at;
  }
  if (cursor.is(number)) {
    for (std::size_t i = 0; i < digits && cursor.is(number); ++i) cursor.next();
    return cursor.at;
  }
  Cursor after = cursor;
  after.next();
  if (!cursor.newline() && after.is(letter)) {
    after.skip(letter);
    return after.at;
  }
  if (cursor.other() || (cursor.point == ' ' && after.other())) {
    after.skip_other();
    while (after.newline()) after.next();
    return after.at;
  }
  const std::size_t end = newlines_end(text, at);
  return end != at ? end : spaces_end(text, at);
}

}  // namespace

bool known_word_pattern(std::string_view expression, WordPattern& pattern) {
  constexpr std::string_view gpt2 =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  constexpr std::string_view llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  constexpr std::string_view qwen2 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  if (expression == gpt2) {
    pattern = {true, 0};
  } else if (expression == llama3) {
    pattern = {false, 3};
  } else if (expression == qwen2) {
    pattern = {false, 1};
  } else {
    return false;
  }
  return true;
}

std::size_t word_end(std::string_view text, std::size_t at, const WordPattern& pattern) {
  return pattern.gpt2 ? gpt2_word_end(text, at) : modern_word_end(text, at, pattern.digits);
}

}  // namespace trireme::io
