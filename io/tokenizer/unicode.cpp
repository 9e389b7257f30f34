#include "io/tokenizer/unicode.h"

#include <algorithm>
#include <array>
#include <memory>

namespace trireme::io::unicode {
namespace {

constexpr std::size_t points = 0x110000;

struct Range {
  char32_t first, last;
};
struct Decomposition {
  char32_t point;
  std::array<char32_t, 4> parts;
  char32_t first, second;
};
struct CombiningRange {
  char32_t first, last;
  std::uint8_t value;
};

#include "io/tokenizer/unicode_tables.inc"

template <typename Ranges>
void mark_class(std::vector<std::uint8_t>& classes, const Ranges& ranges, std::uint8_t bit) {
  for (const Range& range : ranges)
    for (char32_t point = range.first; point <= range.last; ++point) classes[point] |= bit;
}

const std::vector<std::uint8_t>& class_table() {
  static const std::vector<std::uint8_t> table = [] {
    std::vector<std::uint8_t> classes(points, 0);
    mark_class(classes, letters, letter);
    mark_class(classes, numbers, number);
    mark_class(classes, spaces, space);
    mark_class(classes, marks, mark);
    return classes;
  }();
  return table;
}

const Decomposition* find_decomposition(char32_t point) {
  const auto* found =
      std::lower_bound(std::begin(decompositions), std::end(decompositions), point,
                       [](const Decomposition& entry, char32_t wanted) { return entry.point < wanted; });
  return found != std::end(decompositions) && found->point == point ? found : nullptr;
}

std::uint8_t combining_class(char32_t point) {
  if (point < 0x300) return 0;
  const auto* found =
      std::lower_bound(std::begin(combining), std::end(combining), point,
                       [](const CombiningRange& range, char32_t wanted) { return range.last < wanted; });
  return found != std::end(combining) && found->first <= point ? found->value : 0;
}

// Hangul syllables follow a formula (Unicode, section 3.12).
constexpr char32_t hangul = 0xac00, lead = 0x1100, vowel = 0x1161, tail = 0x11a7;
constexpr char32_t leads = 19, vowels = 21, tails = 28, syllables = leads * vowels * tails;

char32_t compose(char32_t first, char32_t second) {
  if (first - lead < leads && second - vowel < vowels)
    return hangul + ((first - lead) * vowels + (second - vowel)) * tails;
  if (first - hangul < syllables && (first - hangul) % tails == 0 && second > tail && second < tail + tails)
    return first + (second - tail);
  static const auto pairs = [] {
    std::vector<const Decomposition*> sorted;
    for (const Decomposition& entry : decompositions)
      if (entry.first) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
      return std::pair(a->first, a->second) < std::pair(b->first, b->second);
    });
    return sorted;
  }();
  const auto found = std::lower_bound(pairs.begin(), pairs.end(), std::pair(first, second),
                                      [](const Decomposition* entry, const auto& wanted) {
                                        return std::pair(entry->first, entry->second) < wanted;
                                      });
  return found != pairs.end() && (*found)->first == first && (*found)->second == second ? (*found)->point : 0;
}

struct Placed {
  char32_t point;
  std::uint32_t origin;
};

std::vector<Placed> decompose(std::string_view text) {
  std::vector<Placed> out;
  out.reserve(text.size());
  std::size_t unordered = 0;  // marks since the last starter, to be sorted by class
  const auto order_marks = [&] {
    std::stable_sort(
        out.begin() + static_cast<std::ptrdiff_t>(unordered), out.end(),
        [](const Placed& a, const Placed& b) { return combining_class(a.point) < combining_class(b.point); });
  };
  const auto add = [&](char32_t point, std::uint32_t origin) {
    if (combining_class(point) == 0) {
      order_marks();
      out.push_back({point, origin});
      unordered = out.size();
    } else {
      out.push_back({point, origin});
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode(text, at);
    const auto origin = static_cast<std::uint32_t>(at);
    const char32_t syllable = next.point - hangul;
    if (syllable < syllables) {
      add(lead + syllable / (vowels * tails), origin);
      add(vowel + syllable % (vowels * tails) / tails, origin);
      if (syllable % tails) add(tail + syllable % tails, origin);
    } else if (const Decomposition* found = find_decomposition(next.point)) {
      for (const char32_t part : found->parts)
        if (part) add(part, origin);
    } else {
      add(next.point, origin);
    }
    at += static_cast<std::size_t>(next.bytes);
  }
  order_marks();
  return out;
}

void compose_in_place(std::vector<Placed>& text) {
  std::size_t kept = 0, starter = text.size();
  int last_class = -1;
  for (const Placed& next : text) {
    const int own_class = combining_class(next.point);
    if (starter < kept && last_class < own_class) {
      if (const char32_t composed = compose(text[starter].point, next.point)) {
        text[starter].point = composed;
        continue;
      }
    }
    if (own_class == 0) {
      starter = kept;
      last_class = -1;
    } else {
      last_class = own_class;
    }
    text[kept++] = next;
  }
  text.resize(kept);
}

std::string to_utf8(const std::vector<Placed>& text, std::vector<std::uint32_t>* origin) {
  std::string out;
  out.reserve(text.size());
  if (origin) origin->clear();
  for (const Placed& next : text) {
    append(out, next.point);
    if (origin) origin->resize(out.size(), next.origin);
  }
  return out;
}

/// Texts without anything that decomposes, composes or reorders are their own normal form, and they are
/// nearly all texts.
bool is_plain_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string unchanged(std::string_view text, std::vector<std::uint32_t>* origin) {
  if (origin) {
    origin->resize(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) (*origin)[i] = static_cast<std::uint32_t>(i);
  }
  return std::string(text);
}

/// Bytes of the valid sequence at `at`; when it is not valid, minus the length of the maximal part to
/// replace.
int sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return -1;
  const int length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return -1;
  for (int i = 2; i < length; ++i)
    if ((byte(static_cast<std::size_t>(i)) & 0xc0u) != 0x80u) return -i;
  return length;
}

}  // namespace

std::uint8_t class_of(char32_t point) {
  static const std::uint8_t* const table = class_table().data();
  return table[point];
}

void append(std::string& text, char32_t point) {
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 0x3f))};
  } else if (point < 0x10000) {
    text += {static_cast<char>(0xe0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 0x3f)),
             static_cast<char>(0x80 | (point & 0x3f))};
  } else {
    text += {static_cast<char>(0xf0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 0x3f)),
             static_cast<char>(0x80 | (point >> 6 & 0x3f)), static_cast<char>(0x80 | (point & 0x3f))};
  }
}

std::size_t valid_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const int length = sequence_length(text, at);
    if (length < 0) return at;
    at += static_cast<std::size_t>(length);
  }
  return at;
}

std::string replace_invalid(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const int length = sequence_length(text, at);
    if (length > 0) {
      out.append(text.substr(at, static_cast<std::size_t>(length)));
    } else {
      out += "\xef\xbf\xbd";
    }
    at += static_cast<std::size_t>(length > 0 ? length : -length);
  }
  return out;
}

std::string normalize_nfd(std::string_view text, std::vector<std::uint32_t>* origin) {
  if (is_plain_ascii(text)) return unchanged(text, origin);
  return to_utf8(decompose(text), origin);
}

std::string normalize_nfc(std::string_view text, std::vector<std::uint32_t>* origin) {
  if (is_plain_ascii(text)) return unchanged(text, origin);
  std::vector<Placed> points_in_order = decompose(text);
  compose_in_place(points_in_order);
  return to_utf8(points_in_order, origin);
}

}  // namespace trireme::io::unicode
