#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace trireme::io::jinja {

/// What Python's str.isspace() calls blank.
bool is_blank(char32_t point);
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
inline std::string_view strip(std::string_view text) {
  return strip_left(strip_right(text));
}
/// Strips the letters of `letters` instead of blanks.
std::string_view strip_left(std::string_view text, std::string_view letters);
std::string_view strip_right(std::string_view text, std::string_view letters);

/// Code points.
std::size_t length_of(std::string_view text);
/// The byte at which code point `index` begins; the size of the text from its last on.
std::size_t byte_of(std::string_view text, std::size_t index);

/// Letters of the Latin, Greek and Cyrillic alphabets; others have no case here.
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
/// The first letter upper, the others lower case.
std::string capitalised(std::string_view text);
/// That of each word.
std::string titled(std::string_view text);
bool has_case(char32_t point);

}  // namespace trireme::io::jinja
