#include "io/tokenizer/added_tokens.h"

#include <algorithm>
#include <boost/json.hpp>

#include "core/error.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io {
namespace {

std::size_t start_of_character_before(std::string_view text, std::size_t at) {
  --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) --at;
  return at;
}

bool is_word_letter(char32_t point) {
  return point == '_' ||
         (unicode::class_of(point) & (unicode::letter | unicode::number | unicode::mark)) != 0;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool joined_before =
      begin > 0 && is_word_letter(unicode::decode(text, start_of_character_before(text, begin)).point);
  const bool joined_after = end < text.size() && is_word_letter(unicode::decode(text, end).point);
  return !joined_before && !joined_after;
}

}  // namespace

AddedToken added_token_from_json(const boost::json::value& description) {
  const auto& object = description.as_object();
  const auto flag = [&](const char* key) {
    const auto* value = object.if_contains(key);
    return value && value->as_bool();
  };
  return {static_cast<std::int32_t>(object.at("id").to_number<std::int32_t>()),
          std::string(object.at("content").as_string()),
          flag("special"),
          flag("normalized"),
          flag("single_word"),
          flag("lstrip"),
          flag("rstrip")};
}

void AddedTokens::add(AddedToken token) {
  if (token.content.empty()) fail(ExitCode::damaged, "the added token {} is empty", token.id);
  auto& bucket = by_first_byte_[static_cast<unsigned char>(token.content[0])];
  bucket.push_back(static_cast<std::uint32_t>(tokens_.size()));
  tokens_.push_back(std::move(token));
  std::stable_sort(bucket.begin(), bucket.end(), [this](std::uint32_t a, std::uint32_t b) {
    return tokens_[a].content.size() > tokens_[b].content.size();
  });
}

const AddedToken* AddedTokens::longest_at(std::string_view text, std::size_t at) const {
  for (const std::uint32_t index : by_first_byte_[static_cast<unsigned char>(text[at])])
    if (text.substr(at).starts_with(tokens_[index].content)) return &tokens_[index];
  return nullptr;
}

std::vector<AddedTokens::Part> AddedTokens::cut(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t kept = 0;
  const auto part = [&](std::size_t begin, std::size_t end, std::int32_t id) {
    parts.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), id});
  };
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token = tokens_.empty() ? nullptr : longest_at(text, at);
    if (!token) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->left_strip) {
      while (begin > kept) {
        const std::size_t before = start_of_character_before(text, begin);
        if (!(unicode::class_of(unicode::decode(text, before).point) & unicode::space)) break;
        begin = before;
      }
    }
    if (token->right_strip) {
      while (end < text.size() && (unicode::class_of(unicode::decode(text, end).point) & unicode::space))
        end += static_cast<std::size_t>(unicode::decode(text, end).bytes);
      at = end;
    }
    if (begin > kept) part(kept, begin, -1);
    part(begin, end, token->id);
    kept = end;
  }
  if (kept < text.size()) part(kept, text.size(), -1);
  return parts;
}

}  // namespace trireme::io
