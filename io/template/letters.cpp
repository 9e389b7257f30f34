#include "io/template/letters.h"

#include <algorithm>

#include "io/tokenizer/unicode.h"

namespace trireme::io::jinja {
namespace {

bool within(char32_t point, char32_t first, char32_t last) {
  return first <= point && point <= last;
}

/// Capitals and small letters of Latin Extended-A alternate; which of the two is even differs by range.
bool is_pair_even(char32_t point) {
  return within(point, 0x100, 0x12f) || within(point, 0x132, 0x137) || within(point, 0x14a, 0x177) ||
         within(point, 0x460, 0x481) || within(point, 0x48a, 0x4bf) || within(point, 0x4d0, 0x52f) ||
         within(point, 0x1e00, 0x1e95) || within(point, 0x1ea0, 0x1eff);
}
bool is_pair_odd(char32_t point) {
  return within(point, 0x139, 0x148) || within(point, 0x179, 0x17e) || within(point, 0x4c1, 0x4ce);
}

char32_t upper(char32_t point) {
  if (point < 0x80) return within(point, 'a', 'z') ? point - 32 : point;
  if (point == 0xb5) return 0x39c;
  if (point == 0xff) return 0x178;
  if (within(point, 0xe0, 0xfe) && point != 0xf7) return point - 32;
  if (is_pair_even(point)) return point & ~char32_t{1};
  if (is_pair_odd(point)) return point % 2 == 0 ? point - 1 : point;
  if (point == 0x3ac) return 0x386;
  if (within(point, 0x3ad, 0x3af)) return point - 37;
  if (point == 0x3c2) return 0x3a3;
  if (within(point, 0x3b1, 0x3cb)) return point - 32;
  if (point == 0x3cc) return 0x38c;
  if (within(point, 0x3cd, 0x3ce)) return point - 63;
  if (within(point, 0x430, 0x44f)) return point - 32;
  if (within(point, 0x450, 0x45f)) return point - 80;
  return point;
}

char32_t lower(char32_t point) {
  if (point < 0x80) return within(point, 'A', 'Z') ? point + 32 : point;
  if (point == 0x178) return 0xff;
  if (within(point, 0xc0, 0xde) && point != 0xd7) return point + 32;
  if (is_pair_even(point)) return point | 1;
  if (is_pair_odd(point)) return point % 2 == 1 ? point + 1 : point;
  if (point == 0x386) return 0x3ac;
  if (within(point, 0x388, 0x38a)) return point + 37;
  if (point == 0x38c) return 0x3cc;
  if (within(point, 0x38e, 0x38f)) return point + 63;
  if (within(point, 0x391, 0x3ab) && point != 0x3a2) return point + 32;
  if (within(point, 0x400, 0x40f)) return point + 80;
  if (within(point, 0x410, 0x42f)) return point + 32;
  return point;
}

enum class Case { upper, lower, title };

/// `title` makes the first letter of each word large and the others small.
std::string with_case(std::string_view text, Case wanted) {
  std::string result;
  result.reserve(text.size());
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto [point, bytes] = unicode::decode(text, at);
    at += static_cast<std::size_t>(bytes);
    const bool large = wanted == Case::upper || (wanted == Case::title && !in_word);
    if (large && point == 0xdf) {
      result += wanted == Case::upper ? "SS" : "Ss";
    } else {
      unicode::append(result, large ? upper(point) : lower(point));
    }
    in_word = has_case(point) || (unicode::class_of(point) & unicode::letter) != 0;
  }
  return result;
}

bool contains(std::string_view letters, std::string_view letter) {
  for (std::size_t at = 0; at < letters.size();) {
    const auto bytes = static_cast<std::size_t>(unicode::decode(letters, at).bytes);
    if (letters.substr(at, bytes) == letter) return true;
    at += bytes;
  }
  return false;
}

std::size_t last_letter(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) --at;
  return at;
}

}  // namespace

bool is_blank(char32_t point) {
  return within(point, 9, 13) || within(point, 28, 32) || point == 0x85 || point == 0xa0 || point == 0x1680 ||
         within(point, 0x2000, 0x200a) || point == 0x2028 || point == 0x2029 || point == 0x202f ||
         point == 0x205f || point == 0x3000;
}

std::string_view strip_left(std::string_view text) {
  while (!text.empty()) {
    const auto [point, bytes] = unicode::decode(text, 0);
    if (!is_blank(point)) break;
    text.remove_prefix(static_cast<std::size_t>(bytes));
  }
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    const std::size_t last = last_letter(text);
    if (!is_blank(unicode::decode(text, last).point)) break;
    text = text.substr(0, last);
  }
  return text;
}

std::string_view strip_left(std::string_view text, std::string_view letters) {
  while (!text.empty()) {
    const auto bytes = static_cast<std::size_t>(unicode::decode(text, 0).bytes);
    if (!contains(letters, text.substr(0, bytes))) break;
    text.remove_prefix(bytes);
  }
  return text;
}

std::string_view strip_right(std::string_view text, std::string_view letters) {
  while (!text.empty()) {
    const std::size_t last = last_letter(text);
    if (!contains(letters, text.substr(last))) break;
    text = text.substr(0, last);
  }
  return text;
}

std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char letter) {
    return (static_cast<unsigned char>(letter) & 0xc0u) != 0x80u;
  }));
}

std::size_t byte_of(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  while (index > 0 && at < text.size()) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) ++at;
    --index;
  }
  return at;
}

std::string to_upper(std::string_view text) {
  return with_case(text, Case::upper);
}
std::string to_lower(std::string_view text) {
  return with_case(text, Case::lower);
}
std::string titled(std::string_view text) {
  return with_case(text, Case::title);
}

std::string capitalised(std::string_view text) {
  const std::size_t first = byte_of(text, 1);
  return with_case(text.substr(0, first), Case::title) + to_lower(text.substr(first));
}

bool has_case(char32_t point) {
  return point == 0xdf || upper(point) != point || lower(point) != point;
}

}  // namespace trireme::io::jinja
