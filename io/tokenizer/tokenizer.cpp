#include "io/tokenizer/tokenizer.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/error.h"
#include "io/tokenizer/byte_letters.h"
#include "io/tokenizer/unicode.h"
#include "io/tokenizer/word_cache.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

const json::value nothing;

const json::value& member(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found ? *found : nothing;
}

bool is_true(const json::object& object, std::string_view key) {
  const json::value& value = member(object, key);
  return value.is_bool() && value.as_bool();
}

void refuse_unless_empty(const json::object& model, std::string_view key) {
  const json::value& value = member(model, key);
  if (value.is_null() || (value.is_string() && value.as_string().empty())) return;
  fail(ExitCode::damaged, "model.{} is not supported: {}", key, json::serialize(value));
}

std::pair<std::string, std::string> merge_from_json(const json::value& merge, std::size_t rank) {
  if (const json::array* parts = merge.if_array(); parts && parts->size() == 2)
    return {std::string((*parts)[0].as_string()), std::string((*parts)[1].as_string())};
  const json::string* text = merge.if_string();
  const std::size_t blank = text ? std::string_view(*text).find(' ', 1) : std::string_view::npos;
  if (blank == std::string_view::npos)
    fail(ExitCode::damaged, "model.merges[{}] is not a pair of tokens: {}", rank, json::serialize(merge));
  const std::string_view whole(*text);
  return {std::string(whole.substr(0, blank)), std::string(whole.substr(blank + 1))};
}

/// The spelling of a byte-level token as bytes; one with other letters can't be met in a text and keeps its
/// letters.
std::string to_bytes(const std::string& spelt, bool byte_level) {
  std::string bytes;
  return byte_level && bytes_from_letters(spelt, bytes) ? bytes : spelt;
}

}  // namespace

Tokenizer Tokenizer::from_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(ExitCode::configuration, "{} cannot be opened", path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return from_text(text, path);
}

Tokenizer Tokenizer::from_text(std::string_view text, const std::string& where) {
  json::error_code problem;
  const json::value description = json::parse({text.data(), text.size()}, problem);
  if (problem) fail(ExitCode::damaged, "{} is not JSON: {}", where, problem.message());
  try {
    return Tokenizer(description);
  } catch (const Error& error) {
    throw Error(error.code(), where + ": " + error.what());
  } catch (const std::exception& error) {
    // Boost.JSON throws its own when a key is missing or of another kind.
    fail(ExitCode::damaged, "{} is not a tokenizer.json that trireme can read: {}", where, error.what());
  }
}

Tokenizer::Tokenizer(const json::value& description)
    : normalizer_(member(description.as_object(), "normalizer")),
      splitter_(member(description.as_object(), "pre_tokenizer")),
      decoder_(member(description.as_object(), "decoder")) {
  const json::object& root = description.as_object();
  read_model(root.at("model").as_object());
  read_added(member(root, "added_tokens"));
  read_post_processor(member(root, "post_processor"));
}

void Tokenizer::set_spelling(std::int32_t id, std::string spelling) {
  constexpr std::int32_t largest = 1 << 22;
  if (id < 0 || id > largest)
    fail(ExitCode::damaged, "the token '{}' has the id {}, which is out of range", spelling, id);
  if (static_cast<std::size_t>(id) >= spelling_.size()) {
    spelling_.resize(static_cast<std::size_t>(id) + 1);
    special_.resize(spelling_.size());
  }
  spelling_[static_cast<std::size_t>(id)] = std::move(spelling);
}

void Tokenizer::read_model(const json::object& model) {
  const json::value& type = member(model, "type");
  if (!type.is_null() && type.as_string() != "BPE")
    fail(ExitCode::damaged, "model.type '{}' is not supported; only BPE is", type.as_string().c_str());
  refuse_unless_empty(model, "continuing_subword_prefix");
  refuse_unless_empty(model, "end_of_word_suffix");
  if (const json::value& dropout = member(model, "dropout");
      !dropout.is_null() && dropout.to_number<double>() != 0)
    fail(ExitCode::damaged,
         "model.dropout is not supported: the same text would give other tokens each time");

  Bpe::Options options;
  options.bytes = splitter_.byte_level();
  options.byte_fallback = is_true(model, "byte_fallback");
  options.ignore_merges = is_true(model, "ignore_merges");
  options.fuse_unknown = is_true(model, "fuse_unk");
  if (const json::value& unknown = member(model, "unk_token"); unknown.is_string())
    options.unknown = std::string(unknown.as_string());

  std::unordered_map<std::string, std::int32_t> vocabulary;
  for (const auto& [token, id] : model.at("vocab").as_object()) {
    const auto number = id.to_number<std::int32_t>();
    set_spelling(number, std::string(token));
    vocabulary.emplace(to_bytes(std::string(token), options.bytes), number);
  }
  std::vector<Bpe::Merge> merges;
  for (const json::value& merge : model.at("merges").as_array()) {
    auto [left, right] = merge_from_json(merge, merges.size());
    merges.push_back({to_bytes(left, options.bytes), to_bytes(right, options.bytes)});
  }
  bpe_ = std::make_unique<const Bpe>(std::move(vocabulary), merges, std::move(options));
}

void Tokenizer::read_added(const json::value& description) {
  if (description.is_null()) return;
  for (const json::value& entry : description.as_array()) {
    AddedToken token = added_token_from_json(entry);
    set_spelling(token.id, token.content);
    special_[static_cast<std::size_t>(token.id)] = token.special;
    added_ids_[token.content] = token.id;
    if (token.normalized && !normalizer_.empty()) {
      Rewritten content = Rewritten::unchanged(token.content);
      normalizer_.apply(content);
      token.content = content.text;
      added_normalized_.add(std::move(token));
    } else {
      (token.normalized ? added_normalized_ : added_raw_).add(std::move(token));
    }
  }
}

void Tokenizer::read_post_processor(const json::value& description) {
  if (description.is_null()) return;
  const json::object& step = description.as_object();
  const std::string type(step.at("type").as_string());
  if (type == "Sequence") {
    for (const json::value& part : step.at("processors").as_array()) read_post_processor(part);
  } else if (type == "TemplateProcessing") {
    bool before = true;
    for (const json::value& piece : step.at("single").as_array()) {
      const json::object& object = piece.as_object();
      if (object.contains("Sequence")) {
        before = false;
        continue;
      }
      const auto& name = object.at("SpecialToken").at("id").as_string();
      for (const json::value& id : step.at("special_tokens").at(name).at("ids").as_array())
        (before ? prefix_ : suffix_).push_back(id.to_number<std::int32_t>());
    }
  } else if (type !=
             "ByteLevel") {  // that one only trims offsets, which here always name a token's own bytes
    fail(ExitCode::damaged,
         "the post-processor '{}' is not known; known are Sequence, TemplateProcessing, ByteLevel", type);
  }
}

std::shared_ptr<Tokenizer::WordCache> Tokenizer::make_cache() {
  return std::make_shared<WordCache>();
}

void Tokenizer::encode_words(std::string_view text, WordCache& cache, std::vector<Token>& tokens) const {
  thread_local std::vector<Span> words;
  splitter_.split(text, words);
  for (const Span& span : words) {
    const std::string_view word = text.substr(span.begin, span.end - span.begin);
    if (word.size() > WordCache::longest_word) {
      bpe_->encode(word, span.begin, tokens);
      continue;
    }
    std::size_t count = 0;
    std::uint64_t hash = 0;
    if (const Token* known = cache.find(word, count, hash)) {
      for (std::size_t i = 0; i < count; ++i)
        tokens.push_back({known[i].id, known[i].begin + span.begin, known[i].end + span.begin});
    } else {
      const std::size_t first = tokens.size();
      bpe_->encode(word, span.begin, tokens);
      cache.insert(word, hash, std::span(tokens).subspan(first), span.begin);
    }
  }
}

void Tokenizer::encode_rewritten(const Rewritten& text, std::uint32_t offset, bool first, WordCache& cache,
                                 std::vector<Token>& tokens) const {
  for (const AddedTokens::Part& part : added_normalized_.cut(text.text)) {
    const auto [begin, end] = text.range(part.begin, part.end);
    if (part.id >= 0) {
      tokens.push_back({part.id, offset + begin, offset + end});
      continue;
    }
    Rewritten piece{text.text.substr(part.begin, part.end - part.begin),
                    {text.origin.begin() + part.begin, text.origin.begin() + part.end}};
    splitter_.rewrite(piece, first && begin == 0);
    const std::size_t before = tokens.size();
    encode_words(piece.text, cache, tokens);
    for (std::size_t i = before; i < tokens.size(); ++i) {
      const auto [from, to] = piece.range(tokens[i].begin, tokens[i].end);
      tokens[i].begin = offset + from, tokens[i].end = offset + to;
    }
  }
}

void Tokenizer::encode_part(std::string_view text, std::uint32_t offset, bool first, WordCache& cache,
                            std::vector<Token>& tokens) const {
  const bool plain = normalizer_.empty() && added_normalized_.empty() && !splitter_.rewrites(text, first);
  if (plain) {
    const std::size_t before = tokens.size();
    encode_words(text, cache, tokens);
    if (offset == 0) return;
    for (std::size_t i = before; i < tokens.size(); ++i) tokens[i].begin += offset, tokens[i].end += offset;
    return;
  }
  Rewritten rewritten = Rewritten::unchanged(text);
  normalizer_.apply(rewritten);
  encode_rewritten(rewritten, offset, first, cache, tokens);
}

std::vector<Token> Tokenizer::encode(std::string_view text, bool add_special, WordCache& cache) const {
  if (text.size() >= UINT32_MAX / 4)
    fail(ExitCode::damaged, "a text of {} bytes is too long for one encoding; cut it", text.size());
  if (const std::size_t valid = unicode::valid_prefix(text); valid != text.size())
    fail(ExitCode::damaged, "byte {} of the text is not valid UTF-8", valid);
  std::vector<Token> tokens;
  tokens.reserve(text.size() / 3 + 8);
  const auto add_each = [&](const std::vector<std::int32_t>& ids, std::size_t place) {
    if (!add_special) return;
    for (const std::int32_t id : ids)
      tokens.push_back({id, static_cast<std::uint32_t>(place), static_cast<std::uint32_t>(place)});
  };
  add_each(prefix_, 0);
  for (const AddedTokens::Part& part : added_raw_.cut(text)) {
    if (part.id >= 0) {
      tokens.push_back({part.id, part.begin, part.end});
    } else {
      encode_part(text.substr(part.begin, part.end - part.begin), part.begin, part.begin == 0, cache, tokens);
    }
  }
  add_each(suffix_, text.size());
  return tokens;
}

std::vector<Token> Tokenizer::encode(std::string_view text, bool add_special) const {
  WordCache cache;
  return encode(text, add_special, cache);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) {
    const auto at = static_cast<std::size_t>(id);
    if (id < 0 || at >= spelling_.size() || (skip_special && special_[at])) continue;
    tokens.push_back(spelling_[at]);
  }
  return decoder_.decode(std::move(tokens));
}

std::int32_t Tokenizer::id_of(const std::string& token) const {
  const auto added = added_ids_.find(token);
  if (added != added_ids_.end()) return added->second;
  return bpe_->id_of(to_bytes(token, splitter_.byte_level()));
}

bool Tokenizer::is_special(std::int32_t id) const {
  return id >= 0 && static_cast<std::size_t>(id) < special_.size() && special_[static_cast<std::size_t>(id)];
}

}  // namespace trireme::io
