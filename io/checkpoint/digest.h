#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"

namespace trireme::io {

/// XXH3-64 of each `digest_chunk` bytes; the last may be shorter.
std::vector<std::uint64_t> chunk_digests(std::span<const std::byte> bytes);
std::uint64_t digest_of(std::span<const std::byte> bytes);
/// XXH3-128 as 32 hexadecimal digits.
std::string text_digest(std::string_view text);
std::string file_digest(const File& file);
std::string to_hex(std::uint64_t value);
/// Throws an error of the code "damaged", which names `where`.
std::uint64_t from_hex(std::string_view digits, const std::string& where);

}  // namespace trireme::io
