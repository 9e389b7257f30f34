#pragma once
#include <array>
#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme::io {

/// A token that is found in a text as it stands, before the text is cut into words: "<|im_start|>".
struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool special = false, normalized = false, single_word = false, left_strip = false, right_strip = false;
};

/// Finds added tokens: leftmost first, of those that begin at one place the longest.
class AddedTokens {
 public:
  struct Part {
    std::uint32_t begin, end;
    std::int32_t id;  ///< −1: text between tokens
  };

  void add(AddedToken token);
  bool empty() const { return tokens_.empty(); }
  /// Cuts the text into added tokens and what lies between them.
  std::vector<Part> cut(std::string_view text) const;

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;
  std::vector<AddedToken> tokens_;
  std::array<std::vector<std::uint32_t>, 256> by_first_byte_;
};

AddedToken added_token_from_json(const boost::json::value& description);

}  // namespace trireme::io
