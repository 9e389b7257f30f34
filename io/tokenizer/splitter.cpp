#include "io/tokenizer/splitter.h"

#include <boost/json.hpp>
#include <utility>

#include "core/error.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

Span span(std::size_t begin, std::size_t end) {
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

bool flag(const json::object& object, std::string_view key, bool otherwise) {
  const json::value* value = object.if_contains(key);
  return value && value->is_bool() ? value->as_bool() : otherwise;
}

}  // namespace

Splitter::Splitter(const json::value& description) {
  if (!description.is_null()) add(description, false);
}

void Splitter::add(const json::value& description, bool only_steps) {
  const json::object& step = description.as_object();
  const std::string type(step.at("type").as_string());
  const bool rewrites = type == "Metaspace" || (type == "ByteLevel" && flag(step, "add_prefix_space", true));
  if (rewrites && only_steps)
    fail(ExitCode::damaged, "the pre-tokenizer '{}' adds blanks and must come first, but it follows another",
         type);
  if (type == "Sequence") {
    for (const json::value& part : step.at("pretokenizers").as_array())
      add(part, only_steps || !steps_.empty());
  } else if (type == "ByteLevel") {
    byte_level_ = true;
    blank_before_ = flag(step, "add_prefix_space", true);
    if (flag(step, "use_regex", true)) steps_.push_back(WordPattern{true, 0});
  } else if (type == "Split") {
    add_split(step);
  } else if (type == "Metaspace") {
    add_metaspace(step);
  } else if (type == "Digits") {
    steps_.push_back(Digits{flag(step, "individual_digits", false)});
  } else {
    fail(ExitCode::damaged,
         "the pre-tokenizer '{}' is not known; known are Sequence, ByteLevel, Split, Metaspace, Digits",
         type);
  }
}

void Splitter::add_split(const json::object& step) {
  const std::string behavior(step.at("behavior").as_string());
  constexpr std::pair<std::string_view, Keep> names[] = {{"Isolated", Keep::isolated},
                                                         {"Removed", Keep::removed},
                                                         {"MergedWithPrevious", Keep::with_previous},
                                                         {"MergedWithNext", Keep::with_next},
                                                         {"Contiguous", Keep::contiguous}};
  const auto* found = std::find_if(std::begin(names), std::end(names),
                                   [&](const auto& entry) { return entry.first == behavior; });
  if (found == std::end(names)) fail(ExitCode::damaged, "the split behavior '{}' is not known", behavior);
  const bool invert = flag(step, "invert", false);
  const json::object* pattern = step.at("pattern").if_object();
  WordPattern known;
  if (pattern && pattern->contains("Regex") &&
      known_word_pattern(std::string_view(pattern->at("Regex").as_string()), known)) {
    // These match everywhere, so what they match and what they leave is the same cut.
    const bool plain = found->second == Keep::isolated || (found->second == Keep::removed && invert);
    if (plain) {
      steps_.push_back(known);
      return;
    }
  }
  steps_.push_back(ByRegex{pattern_from_json(step.at("pattern")), found->second, invert});
}

void Splitter::add_metaspace(const json::object& step) {
  const json::value* scheme = step.if_contains("prepend_scheme");
  const std::string when = scheme                                 ? std::string(scheme->as_string())
                           : flag(step, "add_prefix_space", true) ? "always"
                                                                  : "never";
  metaspace_ = Metaspace{std::string(step.at("replacement").as_string()), when == "always", when == "first"};
  if (flag(step, "split", true))
    steps_.push_back(ByRegex{Regex::of_literal(metaspace_->replacement), Keep::with_next, false});
}

bool Splitter::rewrites(std::string_view text, bool first) const {
  if (metaspace_)
    return metaspace_->always || (metaspace_->first && first) || text.find(' ') != std::string_view::npos;
  return blank_before_ && !text.starts_with(' ');
}

void Splitter::rewrite(Rewritten& text, bool first) const {
  if (metaspace_) {
    static const Regex blank = Regex::of_literal(" ");
    replace_all(text, blank, metaspace_->replacement);
    const bool wanted = metaspace_->always || (metaspace_->first && first);
    if (wanted && !text.text.starts_with(metaspace_->replacement)) prepend(text, metaspace_->replacement);
  } else if (blank_before_ && !text.text.starts_with(' ')) {
    prepend(text, " ");
  }
}

void Splitter::split(std::string_view text, std::vector<Span>& words) const {
  words.clear();
  if (text.empty()) return;
  words.push_back(span(0, text.size()));
  std::vector<Span> next;
  for (const Step& step : steps_) {
    next.clear();
    for (const Span& word : words)
      std::visit([&](const auto& chosen) { cut(chosen, text, word, next); }, step);
    words.swap(next);
  }
}

void Splitter::cut(const WordPattern& step, std::string_view text, Span word, std::vector<Span>& out) {
  const std::string_view part = text.substr(0, word.end);
  for (std::size_t at = word.begin; at < word.end;) {
    const std::size_t end = word_end(part, at, step);
    out.push_back(span(at, end));
    at = end;
  }
}

void Splitter::cut(const ByRegex& step, std::string_view text, Span word, std::vector<Span>& out) {
  const std::string_view part = text.substr(word.begin, word.end - word.begin);
  struct Found {
    std::size_t begin, end;
    bool match;
  };
  std::vector<Found> found;
  std::size_t at = 0;
  for (std::size_t from = 0; from < part.size();) {
    const Regex::Match match = step.regex.find(part, from);
    if (!match.found) break;
    if (match.begin == match.end) {
      from = match.end + 1;
      while (from < part.size() && (static_cast<unsigned char>(part[from]) & 0xc0u) == 0x80u) ++from;
      continue;
    }
    if (match.begin > at) found.push_back({at, match.begin, step.invert});
    found.push_back({match.begin, match.end, !step.invert});
    at = from = match.end;
  }
  if (at < part.size()) found.push_back({at, part.size(), step.invert});

  const auto add = [&](std::size_t begin, std::size_t end) {
    out.push_back(span(word.begin + begin, word.begin + end));
  };
  const std::size_t first = out.size();
  bool previous_match = false;
  for (const Found& piece : found) {
    const bool has_previous = out.size() > first;
    switch (step.keep) {
      case Keep::isolated:
        add(piece.begin, piece.end);
        break;
      case Keep::removed:
        if (!piece.match) add(piece.begin, piece.end);
        break;
      case Keep::with_previous:
        if (piece.match && has_previous && !previous_match) {
          out.back().end = static_cast<std::uint32_t>(word.begin + piece.end);
        } else {
          add(piece.begin, piece.end);
        }
        break;
      case Keep::with_next:
        if (!piece.match && has_previous && previous_match) {
          out.back().end = static_cast<std::uint32_t>(word.begin + piece.end);
        } else {
          add(piece.begin, piece.end);
        }
        break;
      case Keep::contiguous:
        if (has_previous && previous_match == piece.match) {
          out.back().end = static_cast<std::uint32_t>(word.begin + piece.end);
        } else {
          add(piece.begin, piece.end);
        }
        break;
    }
    previous_match = piece.match;
  }
}

void Splitter::cut(const Digits& step, std::string_view text, Span word, std::vector<Span>& out) {
  bool previous = false;
  const std::size_t first = out.size();
  for (std::size_t at = word.begin; at < word.end;) {
    const unicode::Decoded next = unicode::decode(text, at);
    const bool digit = (unicode::class_of(next.point) & unicode::number) != 0;
    const std::size_t end = at + static_cast<std::size_t>(next.bytes);
    if (out.size() > first && digit == previous && !(digit && step.individual)) {
      out.back().end = static_cast<std::uint32_t>(end);
    } else {
      out.push_back(span(at, end));
    }
    previous = digit;
    at = end;
  }
}

}  // namespace trireme::io
