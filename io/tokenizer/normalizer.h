#pragma once
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/tokenizer/regex.h"

namespace trireme::io {

struct ByteRange {
  std::uint32_t begin = 0, end = 0;
};

/// A text after some rewriting. `origin[i]` is the character of the text before it from which byte i came;
/// what was inserted in front counts as the first character.
struct Rewritten {
  std::string text;
  std::vector<ByteRange> origin;

  static Rewritten unchanged(std::string_view text);
  /// Where bytes [begin, end), not none, came from.
  ByteRange range(std::uint32_t begin, std::uint32_t end) const {
    return {origin[begin].begin, origin[end - 1].end};
  }
};

/// The "normalizer" of a tokenizer.json: steps that rewrite a text before it is cut into words.
class Normalizer {
 public:
  Normalizer() = default;
  /// Null makes one that changes nothing. Throws a sentence that names a step which is not known.
  explicit Normalizer(const boost::json::value& description);

  bool empty() const { return steps_.empty(); }
  void apply(Rewritten& text) const;

  struct Compose {};
  struct Decompose {};
  struct Prepend {
    std::string what;
  };
  struct Replace {
    Regex what;
    std::string with;
  };
  struct Strip {
    bool left, right;
  };
  using Step = std::variant<Compose, Decompose, Prepend, Replace, Strip>;

 private:
  void add(const boost::json::value& description);
  std::vector<Step> steps_;
};

void prepend(Rewritten& text, std::string_view what);
void replace_all(Rewritten& text, const Regex& what, std::string_view with);

/// A "pattern" of a tokenizer.json: {"String": …} or {"Regex": …}.
Regex pattern_from_json(const boost::json::value& description);

}  // namespace trireme::io
