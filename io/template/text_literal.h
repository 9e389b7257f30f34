#pragma once
#include <string>
#include <string_view>

namespace trireme::io::jinja {

/// Bytes of the text in quotes at the beginning of `source`, quotes included; 0 where it is not closed.
std::size_t literal_length(std::string_view source);
/// What stands between the quotes, with Python's escapes taken for what they mean.
std::string literal_text(std::string_view inner);

}  // namespace trireme::io::jinja
