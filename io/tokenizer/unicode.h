#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::io::unicode {

/// Bits of a code point's class, by the Unicode version of the `tokenizers` library.
constexpr std::uint8_t letter = 1, number = 2, space = 4, mark = 8;

std::uint8_t class_of(char32_t point);

struct Decoded {
  char32_t point = 0;
  int bytes = 1;
};

/// The code point at `at`; the text must be valid UTF-8.
inline Decoded decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xe0) return {(first & 0x1fu) << 6 | (byte(1) & 0x3fu), 2};
  if (first < 0xf0) return {(first & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu), 3};
  return {(first & 0x07u) << 18 | (byte(1) & 0x3fu) << 12 | (byte(2) & 0x3fu) << 6 | (byte(3) & 0x3fu), 4};
}

void append(std::string& text, char32_t point);

/// Length of the longest valid prefix; equal to the text's when all of it is valid UTF-8.
std::size_t valid_prefix(std::string_view text);
/// Each maximal part that is not valid becomes U+FFFD, as Python's errors="replace" and Rust's
/// from_utf8_lossy do.
std::string replace_invalid(std::string_view text);

/// Canonical decomposition, and composition after it. `origin[i]`, when asked for, is the byte of `text` from
/// which byte i came.
std::string normalize_nfd(std::string_view text, std::vector<std::uint32_t>* origin = nullptr);
std::string normalize_nfc(std::string_view text, std::vector<std::uint32_t>* origin = nullptr);

}  // namespace trireme::io::unicode
