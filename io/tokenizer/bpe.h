#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trireme::io {

/// A token of an encoded text, and the bytes of the text that it stands for.
struct Token {
  std::int32_t id = 0;
  std::uint32_t begin = 0, end = 0;
};

/// Byte-pair encoding: a word becomes symbols, and the pair of neighbours that was merged first in training
/// is merged until none is left. Costs n log n in the length of a word.
class Bpe {
 public:
  struct Options {
    /// Words are raw bytes and each byte is a token (GPT-2 and its heirs); else characters.
    bool bytes = false;
    /// A character that is no token becomes <0x..> tokens of its bytes.
    bool byte_fallback = false;
    /// A word that is a token stays whole, whatever the merges say (Llama 3).
    bool ignore_merges = false;
    bool fuse_unknown = false;
    std::string unknown;
  };
  struct Merge {
    std::string left, right;
  };

  /// Throws a sentence about the first merge whose parts or result are no tokens.
  Bpe(std::unordered_map<std::string, std::int32_t> vocabulary, const std::vector<Merge>& merges,
      Options options);

  /// Appends the tokens of one word; `offset` is added to their places.
  void encode(std::string_view word, std::uint32_t offset, std::vector<Token>& tokens) const;
  std::int32_t id_of(const std::string& token) const;  ///< −1 when there is none
  const std::unordered_map<std::string, std::int32_t>& vocabulary() const { return vocabulary_; }

 private:
  struct Result {
    std::uint32_t rank = UINT32_MAX;
    std::int32_t id = -1;
  };
  Result merged(std::int32_t left, std::int32_t right) const;
  void split(std::string_view word, std::uint32_t offset, std::vector<Token>& symbols) const;
  void merge_short(std::vector<Token>& symbols, std::size_t first) const;
  void merge_long(std::vector<Token>& symbols, std::size_t first) const;
  void insert_merge(std::int32_t left, std::int32_t right, Result result);

  std::unordered_map<std::string, std::int32_t> vocabulary_;
  Options options_;
  std::int32_t unknown_id_ = -1;
  std::vector<std::int32_t> byte_ids_;
  /// Open addressing over pairs of ids; a power of two in size and at most half full.
  struct Slot {
    std::uint64_t pair = UINT64_MAX;
    Result result;
  };
  std::vector<Slot> slots_;
  std::uint64_t mask_ = 0;
};

}  // namespace trireme::io
