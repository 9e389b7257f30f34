#include "io/tokenizer/normalizer.h"

#include <boost/json.hpp>

#include "core/error.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

/// Puts the origins of a step behind those of the steps before it.
void follow(Rewritten& text, std::string made, const std::vector<std::uint32_t>& step_origin) {
  std::vector<ByteRange> origin(made.size());
  for (std::size_t i = 0; i < made.size(); ++i) origin[i] = text.origin[step_origin[i]];
  text = {std::move(made), std::move(origin)};
}

void strip(Rewritten& text, bool left, bool right) {
  std::size_t begin = 0, end = text.text.size();
  const auto is_space = [&](std::size_t at) {
    return (unicode::class_of(unicode::decode(text.text, at).point) & unicode::space) != 0;
  };
  while (left && begin < end && is_space(begin))
    begin += static_cast<std::size_t>(unicode::decode(text.text, begin).bytes);
  while (right && end > begin) {
    std::size_t last = end - 1;
    while ((static_cast<unsigned char>(text.text[last]) & 0xc0u) == 0x80u) --last;
    if (!is_space(last)) break;
    end = last;
  }
  text.text = text.text.substr(begin, end - begin);
  text.origin = std::vector<ByteRange>(text.origin.begin() + static_cast<std::ptrdiff_t>(begin),
                                       text.origin.begin() + static_cast<std::ptrdiff_t>(end));
}

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace

Rewritten Rewritten::unchanged(std::string_view text) {
  Rewritten made{std::string(text), std::vector<ByteRange>(text.size())};
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = static_cast<std::uint32_t>(at);
    const auto end = begin + static_cast<std::uint32_t>(unicode::decode(text, at).bytes);
    for (; at < end; ++at) made.origin[at] = {begin, end};
  }
  return made;
}

void prepend(Rewritten& text, std::string_view what) {
  if (text.text.empty()) return;
  text.text.insert(0, what);
  text.origin.insert(text.origin.begin(), what.size(), text.origin.front());
}

void replace_all(Rewritten& text, const Regex& what, std::string_view with) {
  std::string made;
  std::vector<std::uint32_t> origin;
  std::size_t at = 0;
  const auto keep = [&](std::size_t end) {
    made.append(text.text, at, end - at);
    for (; at < end; ++at) origin.push_back(static_cast<std::uint32_t>(at));
  };
  for (std::size_t from = 0; from < text.text.size();) {
    const Regex::Match match = what.find(text.text, from);
    if (!match.found) break;
    if (match.end == match.begin) {
      from = match.end + 1;
      continue;
    }
    keep(match.begin);
    made += with;
    origin.insert(origin.end(), with.size(), static_cast<std::uint32_t>(match.begin));
    at = from = match.end;
  }
  keep(text.text.size());
  follow(text, std::move(made), origin);
}

Regex pattern_from_json(const json::value& description) {
  const json::object* object = description.if_object();
  if (object && object->contains("Regex")) return Regex(std::string(object->at("Regex").as_string()));
  if (object && object->contains("String"))
    return Regex::of_literal(std::string(object->at("String").as_string()));
  fail(ExitCode::damaged, "a pattern is neither a String nor a Regex: {}", json::serialize(description));
}

Normalizer::Normalizer(const json::value& description) {
  if (!description.is_null()) add(description);
}

void Normalizer::add(const json::value& description) {
  const json::object& step = description.as_object();
  const std::string type(step.at("type").as_string());
  if (type == "Sequence") {
    for (const json::value& part : step.at("normalizers").as_array()) add(part);
  } else if (type == "NFC") {
    steps_.push_back(Compose{});
  } else if (type == "NFD") {
    steps_.push_back(Decompose{});
  } else if (type == "Prepend") {
    steps_.push_back(Prepend{std::string(step.at("prepend").as_string())});
  } else if (type == "Replace") {
    steps_.push_back(
        Replace{pattern_from_json(step.at("pattern")), std::string(step.at("content").as_string())});
  } else if (type == "Strip") {
    steps_.push_back(Strip{step.at("strip_left").as_bool(), step.at("strip_right").as_bool()});
  } else {
    fail(ExitCode::damaged,
         "the normalizer '{}' is not known; known are Sequence, NFC, NFD, Prepend, Replace, Strip", type);
  }
}

void Normalizer::apply(Rewritten& text) const {
  for (const Step& step : steps_) {
    if (text.text.empty()) return;
    std::visit(Overloaded{
                   [&](const Compose&) {
                     std::vector<std::uint32_t> origin;
                     follow(text, unicode::normalize_nfc(text.text, &origin), origin);
                   },
                   [&](const Decompose&) {
                     std::vector<std::uint32_t> origin;
                     follow(text, unicode::normalize_nfd(text.text, &origin), origin);
                   },
                   [&](const Prepend& prefix) { prepend(text, prefix.what); },
                   [&](const Replace& replacement) { replace_all(text, replacement.what, replacement.with); },
                   [&](const Strip& sides) { strip(text, sides.left, sides.right); },
               },
               step);
  }
}

}  // namespace trireme::io
