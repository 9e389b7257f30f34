#include "io/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <utility>

#include <fmt/format.h>

#include "core/error.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io {
namespace {

/// Up to here looking at every pair again is faster than a heap.
constexpr std::size_t short_word = 24;

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::uint64_t mix(std::uint64_t pair) {
  pair *= 0x9e3779b97f4a7c15u;
  return pair ^ pair >> 32;
}

}  // namespace

Bpe::Bpe(std::unordered_map<std::string, std::int32_t> vocabulary, const std::vector<Merge>& merges,
         Options options)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)), byte_ids_(256, -1) {
  if (!options_.unknown.empty()) {
    unknown_id_ = id_of(options_.unknown);
    if (unknown_id_ < 0)
      fail(ExitCode::damaged, "model.unk_token '{}' is not in the vocabulary", options_.unknown);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name =
        options_.bytes ? std::string(1, static_cast<char>(byte)) : fmt::format("<0x{:02X}>", byte);
    byte_ids_[static_cast<std::size_t>(byte)] = id_of(name);
  }
  const std::size_t size = std::bit_ceil(merges.size() * 2 + 2);
  slots_.resize(size);
  mask_ = size - 1;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const std::int32_t l = id_of(left), r = id_of(right), whole = id_of(left + right);
    if (l < 0 || r < 0 || whole < 0)
      fail(ExitCode::damaged, "merge {} ('{}' with '{}') names a token that is not in the vocabulary", rank,
           left, right);
    insert_merge(l, r, {static_cast<std::uint32_t>(rank), whole});
  }
}

std::int32_t Bpe::id_of(const std::string& token) const {
  const auto found = vocabulary_.find(token);
  return found == vocabulary_.end() ? -1 : found->second;
}

void Bpe::insert_merge(std::int32_t left, std::int32_t right, Result result) {
  const std::uint64_t pair = pair_of(left, right);
  std::uint64_t at = mix(pair) & mask_;
  while (slots_[at].pair != UINT64_MAX && slots_[at].pair != pair) at = (at + 1) & mask_;
  slots_[at] = {pair, result};  // of two equal merges the later one counts, as in the reference
}

Bpe::Result Bpe::merged(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = pair_of(left, right);
  for (std::uint64_t at = mix(pair) & mask_;; at = (at + 1) & mask_) {
    if (slots_[at].pair == pair) return slots_[at].result;
    if (slots_[at].pair == UINT64_MAX) return {};
  }
}

void Bpe::split(std::string_view word, std::uint32_t offset, std::vector<Token>& symbols) const {
  const std::size_t first = symbols.size();
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t length = options_.bytes ? 1 : static_cast<std::size_t>(unicode::decode(word, at).bytes);
    const auto begin = static_cast<std::uint32_t>(offset + at);
    const auto end = static_cast<std::uint32_t>(begin + length);
    const auto byte_id = [&](std::size_t i) { return byte_ids_[static_cast<unsigned char>(word[at + i])]; };
    if (options_.bytes) {
      if (byte_id(0) >= 0) symbols.push_back({byte_id(0), begin, end});
    } else if (const std::int32_t id = id_of(std::string(word.substr(at, length))); id >= 0) {
      symbols.push_back({id, begin, end});
    } else {
      bool all_bytes = options_.byte_fallback;
      for (std::size_t i = 0; i < length; ++i) all_bytes = all_bytes && byte_id(i) >= 0;
      if (all_bytes) {
        for (std::size_t i = 0; i < length; ++i) symbols.push_back({byte_id(i), begin, end});
      } else if (unknown_id_ >= 0) {
        const bool fuse = options_.fuse_unknown && symbols.size() > first && symbols.back().id == unknown_id_;
        if (fuse) {
          symbols.back().end = end;
        } else {
          symbols.push_back({unknown_id_, begin, end});
        }
      }
    }
    at += length;
  }
}

void Bpe::merge_short(std::vector<Token>& symbols, std::size_t first) const {
  std::uint32_t ranks[short_word];
  std::int32_t results[short_word];
  Token* const word = symbols.data() + first;
  std::size_t count = symbols.size() - first;
  const auto look = [&](std::size_t i) {
    const Result result = merged(word[i].id, word[i + 1].id);
    ranks[i] = result.rank, results[i] = result.id;
  };
  for (std::size_t i = 0; i + 1 < count; ++i) look(i);
  while (count > 1) {
    const std::size_t best = static_cast<std::size_t>(std::min_element(ranks, ranks + count - 1) - ranks);
    if (ranks[best] == UINT32_MAX) break;
    word[best].id = results[best];
    word[best].end = word[best + 1].end;
    std::copy(word + best + 2, word + count, word + best + 1);
    if (best + 2 < count) {
      std::copy(ranks + best + 2, ranks + count - 1, ranks + best + 1);
      std::copy(results + best + 2, results + count - 1, results + best + 1);
    }
    --count;
    if (best > 0) look(best - 1);
    if (best + 1 < count) look(best);
  }
  symbols.resize(first + count);
}

void Bpe::merge_long(std::vector<Token>& symbols, std::size_t first) const {
  struct Link {
    std::int32_t before, after;
  };
  struct Candidate {
    std::uint32_t rank, at;
    std::int32_t left, right, result;
    bool operator>(const Candidate& other) const {
      return std::pair(rank, at) > std::pair(other.rank, other.at);
    }
  };
  Token* const word = symbols.data() + first;
  const auto count = static_cast<std::int32_t>(symbols.size() - first);
  std::vector<Link> links(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count; ++i)
    links[static_cast<std::size_t>(i)] = {i - 1, i + 1 < count ? i + 1 : -1};
  std::vector<Candidate> pending;
  const auto candidate = [&](std::int32_t left, auto&& add) {
    const std::int32_t right = links[static_cast<std::size_t>(left)].after;
    if (right < 0) return;
    const Result result = merged(word[left].id, word[right].id);
    if (result.id >= 0)
      add(Candidate{result.rank, static_cast<std::uint32_t>(left), word[left].id, word[right].id, result.id});
  };
  for (std::int32_t i = 0; i + 1 < count; ++i)
    candidate(i, [&](const Candidate& made) { pending.push_back(made); });
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue(std::greater<>{},
                                                                               std::move(pending));
  constexpr std::int32_t gone = -2;
  while (!queue.empty()) {
    const Candidate next = queue.top();
    queue.pop();
    const auto left = static_cast<std::int32_t>(next.at);
    const std::int32_t right = word[left].id == next.left ? links[static_cast<std::size_t>(left)].after : -1;
    if (right < 0 || word[right].id != next.right) continue;
    word[left].id = next.result;
    word[left].end = word[right].end;
    word[right].id = gone;
    const std::int32_t after = links[static_cast<std::size_t>(right)].after;
    links[static_cast<std::size_t>(left)].after = after;
    if (after >= 0) links[static_cast<std::size_t>(after)].before = left;
    const auto push = [&](const Candidate& made) { queue.push(made); };
    if (const std::int32_t before = links[static_cast<std::size_t>(left)].before; before >= 0)
      candidate(before, push);
    candidate(left, push);
  }
  symbols.erase(std::remove_if(symbols.begin() + static_cast<std::ptrdiff_t>(first), symbols.end(),
                               [](const Token& token) { return token.id == gone; }),
                symbols.end());
}

void Bpe::encode(std::string_view word, std::uint32_t offset, std::vector<Token>& tokens) const {
  if (options_.ignore_merges) {
    const std::int32_t whole = id_of(std::string(word));
    if (whole >= 0) {
      tokens.push_back({whole, offset, static_cast<std::uint32_t>(offset + word.size())});
      return;
    }
  }
  const std::size_t first = tokens.size();
  split(word, offset, tokens);
  if (tokens.size() - first <= short_word) {
    merge_short(tokens, first);
  } else {
    merge_long(tokens, first);
  }
}

}  // namespace trireme::io
