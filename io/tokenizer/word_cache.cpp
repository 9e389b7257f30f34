#include "io/tokenizer/word_cache.h"

#include <xxhash.h>

namespace trireme::io {
namespace {

constexpr std::size_t slots = std::size_t{1} << 17;
constexpr std::size_t most_words = slots / 2;

}  // namespace

Tokenizer::WordCache::WordCache() : slots_(slots) {}

const Token* Tokenizer::WordCache::find(std::string_view word, std::size_t& count,
                                        std::uint64_t& hash) const {
  hash = XXH3_64bits(word.data(), word.size()) | 1;  // 0 marks an empty slot
  for (std::size_t at = hash >> 32 & (slots - 1);; at = (at + 1) & (slots - 1)) {
    const Slot& slot = slots_[at];
    if (slot.hash == 0) return nullptr;
    if (slot.hash != hash || slot.length != word.size() ||
        std::memcmp(texts_.data() + slot.text, word.data(), word.size()) != 0)
      continue;
    count = slot.count;
    return tokens_.data() + slot.tokens;
  }
}

void Tokenizer::WordCache::insert(std::string_view word, std::uint64_t hash, std::span<const Token> tokens,
                                  std::uint32_t offset) {
  if (used_ >= most_words) return;
  std::size_t at = hash >> 32 & (slots - 1);
  while (slots_[at].hash != 0) at = (at + 1) & (slots - 1);
  slots_[at] = {hash, static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint32_t>(tokens_.size()),
                static_cast<std::uint16_t>(word.size()), static_cast<std::uint16_t>(tokens.size())};
  texts_.insert(texts_.end(), word.begin(), word.end());
  for (const Token& token : tokens) tokens_.push_back({token.id, token.begin - offset, token.end - offset});
  ++used_;
}

}  // namespace trireme::io
