#include "io/tokenizer/byte_letters.h"

#include <array>

#include "io/tokenizer/unicode.h"

namespace trireme::io {
namespace {

constexpr bool is_itself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

/// Bytes that are no printable letter are spelt with the letters from U+0100 on, in order.
constexpr std::array<int, 0x144> letter_table() {
  std::array<int, 0x144> byte_of{};
  byte_of.fill(-1);
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte)
    byte_of[static_cast<std::size_t>(is_itself(byte) ? byte : next++)] = byte;
  return byte_of;
}

}  // namespace

bool bytes_from_letters(std::string_view spelt, std::string& bytes) {
  static constexpr std::array<int, 0x144> byte_of = letter_table();
  bytes.clear();
  for (std::size_t at = 0; at < spelt.size();) {
    const unicode::Decoded next = unicode::decode(spelt, at);
    if (next.point >= byte_of.size() || byte_of[next.point] < 0) return false;
    bytes += static_cast<char>(byte_of[next.point]);
    at += static_cast<std::size_t>(next.bytes);
  }
  return true;
}

}  // namespace trireme::io
