#pragma once
#include <map>
#include <string>
#include <vector>

namespace trireme::io {

/// Which end tokens of a conversation are scored: those behind scored turns, all, the last alone, or none.
enum class EndTokens : unsigned char { turn, all, last, none };

/// How a row holds a conversation, and which of its turns are scored. Names and defaults are Axolotl's.
struct ChatFormat {
  /// "tokenizer_default": the model folder's own; "jinja": `source`; or one that is built in.
  std::string chat_template = "tokenizer_default";
  std::string source{};
  /// The day that strftime_now() tells, as YYYY-MM-DD: the same at every start and on every rank, as tokens
  /// must be.
  std::string date = "2024-07-26";
  /// A system message may stand beside the messages.
  std::string field_messages = "messages", field_tools = "tools", field_system = "system";
  std::string role_field = "role", content_field = "content";
  /// Names of a row for the roles of a template.
  std::map<std::string, std::string> roles{{"human", "user"}, {"gpt", "assistant"}};
  std::vector<std::string> roles_to_train{"assistant"};
  /// Where a message says itself whether it is scored; empty: nowhere.
  std::string training_field{};
  EndTokens train_on_eos = EndTokens::turn;
  /// Tokens that end a turn beside the end token.
  std::vector<std::string> eot_tokens{};
  bool drop_system_message = false;

  friend bool operator==(const ChatFormat&, const ChatFormat&) = default;
};

}  // namespace trireme::io
