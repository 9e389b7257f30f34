#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace trireme::io {

/// A regular expression over UTF-8, compiled once (PCRE2 with Unicode classes), safe to use from several
/// threads.
class Regex {
 public:
  struct Match {
    std::size_t begin = 0, end = 0;
    bool found = false;
  };

  /// Throws a sentence with the place of the mistake.
  explicit Regex(const std::string& expression);
  /// The expression that matches `literal` itself.
  static Regex of_literal(const std::string& literal);
  Match find(std::string_view text, std::size_t from) const;

 private:
  std::shared_ptr<const void> code_;
};

}  // namespace trireme::io
