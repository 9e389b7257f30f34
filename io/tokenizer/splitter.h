#pragma once
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/tokenizer/normalizer.h"
#include "io/tokenizer/regex.h"
#include "io/tokenizer/words.h"

namespace trireme::io {

/// Byte ranges of the words of a text, in order, without gaps unless a step removes what it finds.
struct Span {
  std::uint32_t begin, end;
};

/// The "pre_tokenizer" of a tokenizer.json: rewrites a text at most once (a blank before it, ▁ for blanks)
/// and cuts it into words.
class Splitter {
 public:
  Splitter() = default;
  explicit Splitter(const boost::json::value& description);

  /// The vocabulary is spelt in GPT-2's letters for bytes.
  bool byte_level() const { return byte_level_; }
  /// Whether `rewrite` would change this text.
  bool rewrites(std::string_view text, bool first) const;
  /// `first`: nothing of the whole text stands before this part.
  void rewrite(Rewritten& text, bool first) const;
  void split(std::string_view text, std::vector<Span>& words) const;

 private:
  enum class Keep { isolated, removed, with_previous, with_next, contiguous };
  struct ByRegex {
    Regex regex;
    Keep keep;
    bool invert;
  };
  struct Digits {
    bool individual;
  };
  using Step = std::variant<WordPattern, ByRegex, Digits>;
  struct Metaspace {
    std::string replacement;
    bool always, first;
  };

  void add(const boost::json::value& description, bool only_steps);
  void add_split(const boost::json::object& step);
  void add_metaspace(const boost::json::object& step);
  static void cut(const WordPattern& step, std::string_view text, Span word, std::vector<Span>& out);
  static void cut(const ByRegex& step, std::string_view text, Span word, std::vector<Span>& out);
  static void cut(const Digits& step, std::string_view text, Span word, std::vector<Span>& out);

  bool byte_level_ = false;
  bool blank_before_ = false;
  std::optional<Metaspace> metaspace_;
  std::vector<Step> steps_;
};

}  // namespace trireme::io
