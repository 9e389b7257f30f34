#include "io/template/text_literal.h"

#include <charconv>

#include "io/template/value.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io::jinja {
namespace {

/// Appends the code point that `digits` digits of `base` give; false where they are not digits.
bool append_point(std::string& text, std::string_view digits, int base) {
  std::uint32_t point = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), point, base);
  if (digits.empty() || status != std::errc() || end != digits.data() + digits.size()) return false;
  if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
  unicode::append(text, point);
  return true;
}

char simple_escape(char letter) {
  switch (letter) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
      return letter;
    default:
      return 0;
  }
}

}  // namespace

std::size_t literal_length(std::string_view source) {
  for (std::size_t i = 1; i < source.size(); ++i) {
    if (source[i] == source[0]) return i + 1;
    if (source[i] == '\\') ++i;
  }
  return 0;
}

std::string literal_text(std::string_view inner) {
  std::string text;
  text.reserve(inner.size());
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '\\' || i + 1 == inner.size()) {
      text += inner[i];
      continue;
    }
    const char kind = inner[++i];
    if (const char letter = simple_escape(kind)) {
      text += letter;
    } else if (kind == 'x' || kind == 'u' || kind == 'U') {
      const std::size_t count = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
      if (inner.size() - i - 1 < count || !append_point(text, inner.substr(i + 1, count), 16))
        refuse("the text has an escape \\x, \\u or \\U that names no character");
      i += count;
    } else if (kind >= '0' && kind <= '7') {
      std::size_t count = 1;
      while (count < 3 && i + count < inner.size() && inner[i + count] >= '0' && inner[i + count] <= '7')
        ++count;
      append_point(text, inner.substr(i, count), 8);
      i += count - 1;
    } else if (kind != '\n') {
      text += '\\', text += kind;
    }
  }
  return text;
}

}  // namespace trireme::io::jinja
