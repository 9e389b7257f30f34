#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "io/tokenizer/tokenizer.h"

namespace trireme::io {

/// Open addressing from the bytes of a word to its tokens (places relative to the word). Stops taking words
/// when it is full.
class Tokenizer::WordCache {
 public:
  static constexpr std::size_t longest_word = 48;

  WordCache();
  /// Null when the word is not known; `hash` is then what `insert` wants.
  const Token* find(std::string_view word, std::size_t& count, std::uint64_t& hash) const;
  void insert(std::string_view word, std::uint64_t hash, std::span<const Token> tokens, std::uint32_t offset);

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t text = 0, tokens = 0;
    std::uint16_t length = 0, count = 0;
  };
  std::vector<Slot> slots_;
  std::vector<char> texts_;
  std::vector<Token> tokens_;
  std::size_t used_ = 0;
};

}  // namespace trireme::io
