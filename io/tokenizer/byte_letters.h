#pragma once
#include <string>
#include <string_view>

namespace trireme::io {

/// GPT-2 spells each byte as a printable letter, so that a vocabulary can be written down. Returns false when
/// `spelt` has a letter that is none of these; `bytes` is then of no use.
bool bytes_from_letters(std::string_view spelt, std::string& bytes);

}  // namespace trireme::io
