#include "io/tokenizer/decoder.h"

#include <boost/json.hpp>

#include "core/error.h"
#include "io/tokenizer/byte_letters.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

constexpr std::string_view replacement_character = "\xef\xbf\xbd";

std::string replaced(const std::string& text, const std::string& what, const std::string& with) {
  std::string made;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(what, at)) != std::string::npos; at = found + what.size()) {
    made.append(text, at, found - at);
    made += with;
  }
  return made.append(text, at);
}

/// "<0x0A>" → 10; −1 for any other spelling.
int fallback_byte(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char c : {token[3], token[4]}) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

}  // namespace

Decoder::Decoder(const json::value& description) {
  if (!description.is_null()) add(description);
}

void Decoder::add(const json::value& description) {
  const json::object& step = description.as_object();
  const std::string type(step.at("type").as_string());
  if (type == "Sequence") {
    for (const json::value& part : step.at("decoders").as_array()) add(part);
  } else if (type == "ByteLevel") {
    steps_.push_back(ByteLevel{});
  } else if (type == "ByteFallback") {
    steps_.push_back(ByteFallback{});
  } else if (type == "Fuse") {
    steps_.push_back(Fuse{});
  } else if (type == "Replace") {
    const json::object* pattern = step.at("pattern").if_object();
    if (!pattern || !pattern->contains("String"))
      fail(ExitCode::damaged, "the decoder's Replace needs a String pattern");
    const std::string what(pattern->at("String").as_string());
    if (what.empty()) fail(ExitCode::damaged, "the decoder's Replace has an empty pattern");
    steps_.push_back(Replace{what, std::string(step.at("content").as_string())});
  } else if (type == "Strip") {
    const std::string what(step.at("content").as_string());
    if (what.empty()) fail(ExitCode::damaged, "the decoder's Strip has an empty content");
    steps_.push_back(
        Strip{what, step.at("start").to_number<std::size_t>(), step.at("stop").to_number<std::size_t>()});
  } else if (type == "Metaspace") {
    const json::value* scheme = step.if_contains("prepend_scheme");
    const json::value* old = step.if_contains("add_prefix_space");
    const bool never = scheme ? scheme->as_string() == "never" : old && !old->as_bool();
    steps_.push_back(Metaspace{std::string(step.at("replacement").as_string()), !never});
  } else {
    fail(ExitCode::damaged,
         "the decoder '{}' is not known; known are Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, "
         "Metaspace",
         type);
  }
}

void Decoder::apply(const ByteLevel&, std::vector<std::string>& tokens) {
  std::string whole, bytes;
  for (const std::string& token : tokens) whole += bytes_from_letters(token, bytes) ? bytes : token;
  tokens = {unicode::replace_invalid(whole)};
}

void Decoder::apply(const ByteFallback&, std::vector<std::string>& tokens) {
  std::vector<std::string> made;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (unicode::valid_prefix(bytes) == bytes.size()) {
      made.push_back(bytes);
    } else {
      made.insert(made.end(), bytes.size(), std::string(replacement_character));
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    const int byte = fallback_byte(token);
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
    } else {
      flush();
      made.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(made);
}

void Decoder::apply(const Fuse&, std::vector<std::string>& tokens) {
  std::string whole;
  for (const std::string& token : tokens) whole += token;
  tokens = {std::move(whole)};
}

void Decoder::apply(const Replace& step, std::vector<std::string>& tokens) {
  for (std::string& token : tokens) token = replaced(token, step.what, step.with);
}

void Decoder::apply(const Strip& step, std::vector<std::string>& tokens) {
  for (std::string& token : tokens) {
    for (std::size_t i = 0; i < step.start && token.starts_with(step.what); ++i)
      token.erase(0, step.what.size());
    for (std::size_t i = 0; i < step.stop && token.ends_with(step.what); ++i)
      token.erase(token.size() - step.what.size());
  }
}

void Decoder::apply(const Metaspace& step, std::vector<std::string>& tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string& token = tokens[i];
    const bool drop = i == 0 && step.drop_first && token.starts_with(step.replacement);
    token = replaced(drop ? token.substr(step.replacement.size()) : token, step.replacement, " ");
  }
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  if (steps_.empty()) {
    std::string joined;
    for (const std::string& token : tokens) (joined += joined.empty() ? "" : " ") += token;
    return joined;
  }
  for (const Step& step : steps_) std::visit([&](const auto& chosen) { apply(chosen, tokens); }, step);
  std::string whole;
  for (const std::string& token : tokens) whole += token;
  return whole;
}

}  // namespace trireme::io
