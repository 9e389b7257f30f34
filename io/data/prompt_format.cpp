#include "io/data/prompt_format.h"

#include <optional>

#include "core/error.h"

namespace trireme::io {
namespace {

constexpr const char* alpaca_with_input =
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n";
constexpr const char* alpaca_without_input =
    "Below is an instruction that describes a task. Write a response that appropriately completes the "
    "request.\n\n";

/// Nothing where the field is absent or null.
std::optional<std::string> optional_text(const boost::json::object& row, const std::string& field,
                                         const std::string& where) {
  const boost::json::value* value = row.if_contains(field);
  if (!value || value->is_null()) return std::nullopt;
  if (!value->is_string())
    fail(ExitCode::damaged, "{}: the field \"{}\" is not a text", where, field.substr(0, 80));
  return std::string(value->as_string());
}

std::string text_of(const boost::json::object& row, const std::string& field, const std::string& where) {
  auto text = optional_text(row, field, where);
  if (!text) fail(ExitCode::damaged, "{}: the field \"{}\" is missing", where, field.substr(0, 80));
  return std::move(*text);
}

struct Filling {
  std::string_view name, value;
};

/// Puts values in for {name} in one pass, so that braces in a value stay what they are. {{ and }} are braces.
std::string filled(std::string_view format, std::initializer_list<Filling> fillings) {
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char letter = format[i];
    if ((letter == '{' || letter == '}') && i + 1 < format.size() && format[i + 1] == letter) {
      text += letter, ++i;
      continue;
    }
    const std::size_t end = letter == '{' ? format.find('}', i) : std::string_view::npos;
    bool found = false;
    if (end != std::string_view::npos)
      for (const Filling& filling : fillings)
        if (format.substr(i + 1, end - i - 1) == filling.name) text += filling.value, found = true;
    if (found) {
      i = end;
    } else {
      text += letter;
    }
  }
  return text;
}

std::vector<PromptPiece> render_instruction(const PromptFormat& format, const boost::json::object& row,
                                            const std::string& where) {
  const std::string instruction = text_of(row, format.field_instruction, where);
  const std::string input = optional_text(row, format.field_input, where).value_or("");
  const std::string system = optional_text(row, format.field_system, where).value_or(format.system_prompt);
  std::string prompt = system.empty() ? "" : filled(format.system_format, {{"system", system}});
  prompt += filled(input.empty() ? format.no_input_format : format.format,
                   {{"instruction", instruction}, {"input", input}});
  return {{std::move(prompt), format.train_on_inputs, true, false},
          {text_of(row, format.field_output, where), true, false, true}};
}

std::vector<PromptPiece> render_segments(const boost::json::object& row, const std::string& where) {
  const boost::json::value* segments = row.if_contains("segments");
  if (!segments || !segments->is_array())
    fail(ExitCode::damaged, "{}: the field \"segments\" is missing or not a list", where);
  std::vector<PromptPiece> pieces;
  for (const boost::json::value& segment : segments->as_array()) {
    const boost::json::object* object = segment.if_object();
    const boost::json::value* label = object ? object->if_contains("label") : nullptr;
    if (!label || !label->is_bool())
      fail(ExitCode::damaged, "{}: segment {} needs a \"text\" and a \"label\" that is true or false", where,
           pieces.size());
    pieces.push_back({text_of(*object, "text", where), label->as_bool(), false, false});
  }
  return pieces;
}

}  // namespace

PromptFormat prompt_format_named(std::string_view name) {
  PromptFormat format;
  if (name == "completion") return format;
  if (name == "input_output") {
    format.kind = PromptFormat::Kind::segments;
    return format;
  }
  if (name == "alpaca") {
    format.kind = PromptFormat::Kind::instruction;
    format.format = std::string(alpaca_with_input) +
                    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
    format.no_input_format =
        std::string(alpaca_without_input) + "### Instruction:\n{instruction}\n\n### Response:\n";
    // A row's own "system" field is no part of this format.
    format.field_system.clear();
    return format;
  }
  if (name == "chat_template" || name == "sharegpt") {
    format.kind = PromptFormat::Kind::chat;
    if (name == "sharegpt") {
      format.chat.field_messages = "conversations";
      format.chat.role_field = "from", format.chat.content_field = "value";
    }
    return format;
  }
  fail(
      ExitCode::usage,
      "there is no prompt format \"{}\"; known are alpaca, completion, input_output, chat_template, sharegpt",
      name.substr(0, 60));
}

std::vector<PromptPiece> render(const PromptFormat& format, const boost::json::object& row,
                                const std::string& where) {
  switch (format.kind) {
    case PromptFormat::Kind::completion:
      return {{text_of(row, format.field, where), true, true, true}};
    case PromptFormat::Kind::instruction:
      return render_instruction(format, row, where);
    case PromptFormat::Kind::segments:
      return render_segments(row, where);
    case PromptFormat::Kind::chat:
    case PromptFormat::Kind::tokens:
      break;
  }
  require(false, "a conversation is rendered by its template");
  return {};
}

}  // namespace trireme::io
