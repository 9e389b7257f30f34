#pragma once
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/data/chat_format.h"

namespace trireme::io {

/// A piece of a training text. Pieces are tokenised one by one and their tokens joined, as Axolotl does, so a
/// prompt has the same tokens in training as when it is typed in.
struct PromptPiece {
  std::string text;
  bool scored = true;
  /// Whether the tokenizer adds what it puts before a text, and whether the end token follows.
  bool begins = false, ends = false;
};

/// How a row becomes text. The defaults of the fields and formats are those of Axolotl.
struct PromptFormat {
  enum class Kind : std::uint8_t {
    completion,   ///< the field of a row, all of it scored
    instruction,  ///< a prompt made from instruction and input, and the output, which is scored
    segments,     ///< a list of {text, label} under the field "segments"
    chat,         ///< a conversation, through a chat template
    tokens        ///< input_ids and labels: tokenised already
  };

  Kind kind = Kind::completion;
  std::string field = "text";
  std::string system_prompt, system_format = "{system}";
  std::string field_system = "system", field_instruction = "instruction", field_input = "input",
              field_output = "output";
  std::string format = "{instruction} {input} ", no_input_format = "{instruction} ";
  bool train_on_inputs = false;
  ChatFormat chat;

  friend bool operator==(const PromptFormat&, const PromptFormat&) = default;
};

/// "completion", "alpaca", "input_output", "chat_template", "sharegpt"; throws an Error (usage) that lists
/// them.
PromptFormat prompt_format_named(std::string_view name);
/// For rows that are neither chats nor tokens. Throws an Error (damaged) that names `where` and the field
/// that is missing or not a text.
std::vector<PromptPiece> render(const PromptFormat& format, const boost::json::object& row,
                                const std::string& where);

}  // namespace trireme::io
