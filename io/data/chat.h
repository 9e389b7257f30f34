#pragma once
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/data/chat_format.h"
#include "io/template/template.h"
#include "io/tokenizer/tokenizer.h"

namespace trireme::io {

/// A conversation as text, and the bytes of its scored turns' contents.
struct ChatText {
  struct Turn {
    std::size_t begin = 0, end = 0;
    bool scored = false;
  };
  std::string text;
  std::vector<Turn> turns;  ///< in order; those of which nothing is to be known are left out
};

struct Conversation;

/// Renders conversations and finds their turns in what came out. Unchanging once made, so threads share it.
class Chat {
 public:
  Chat(const ChatFormat& format, const std::filesystem::path& folder, const Tokenizer& tokenizer,
       bool train_on_inputs);

  /// Throws an Error (damaged) that names `where`.
  ChatText render(const boost::json::object& row, const std::string& where) const;
  /// The tokens of a row, and which of them are scored.
  void tokenise(const boost::json::object& row, const std::string& where, const Tokenizer& tokenizer,
                Tokenizer::WordCache& cache, std::vector<std::int32_t>& ids,
                std::vector<std::uint8_t>& scored) const;

 private:
  std::string text_of(const Conversation& conversation, const std::vector<jinja::Value>& messages) const;
  bool mark_contents(const Conversation& conversation, ChatText& chat) const;
  void compare_turns(const Conversation& conversation, ChatText& chat) const;
  void score_end_tokens(const std::vector<ChatText::Turn>& turns, const std::vector<std::size_t>& turn_ends,
                        const std::vector<std::int32_t>& ids, std::vector<std::uint8_t>& scored) const;

  ChatFormat format_;
  bool train_on_inputs_;
  std::chrono::sys_seconds day_;
  Template template_;
  std::vector<std::pair<std::string, jinja::Value>> tokens_;
  std::int32_t end_token_ = -1;
  std::vector<std::int32_t> turn_end_tokens_;
};

}  // namespace trireme::io
