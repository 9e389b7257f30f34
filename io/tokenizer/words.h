#pragma once
#include <cstddef>
#include <string_view>

namespace trireme::io {

/// The three regular expressions that byte-level vocabularies are published with, as hand-written scanners:
/// they differ in these alone.
struct WordPattern {
  /// GPT-2's: a word may start with one blank alone; newlines end nothing; contractions in small letters
  /// only.
  bool gpt2 = false;
  /// How many digits make one piece.
  std::size_t digits = 1;

  bool operator==(const WordPattern&) const = default;
};

/// The pattern that `expression` is, letter for letter; false when it is none of them.
bool known_word_pattern(std::string_view expression, WordPattern& pattern);

/// Where the word that begins at `at` ends. The text is valid UTF-8 and `at` the start of a character inside
/// it.
std::size_t word_end(std::string_view text, std::size_t at, const WordPattern& pattern);

}  // namespace trireme::io
