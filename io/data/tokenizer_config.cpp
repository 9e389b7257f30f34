#include "io/data/tokenizer_config.h"

#include <array>
#include <string_view>

#include "core/error.h"
#include "io/file.h"
#include "io/strict_json.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

constexpr std::array special_names{"bos_token", "eos_token", "unk_token", "pad_token",
                                   "sep_token", "cls_token", "mask_token"};

struct BuiltIn {
  std::string_view name, source;
};
constexpr std::array built_in{
    BuiltIn{"chatml",
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
            "'<|im_end|>' + '\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"},
    BuiltIn{"llama3",
            "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + "
            "'<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif "
            "%}"}};

std::optional<std::string> text_in(const json::value& value) {
  const json::value* text = value.is_object() ? value.as_object().if_contains("content") : &value;
  if (!text || !text->is_string()) return std::nullopt;
  return std::string(text->as_string());
}

std::string built_in_names() {
  std::string names;
  for (const BuiltIn& one : built_in) names += std::string(one.name) + ", ";
  return names;
}

}  // namespace

TokenizerConfig::TokenizerConfig(const std::filesystem::path& folder)
    : path_(folder / "tokenizer_config.json") {
  json::value value = parse_strict_json(read_text(path_), path_.string());
  if (!value.is_object()) fail(ExitCode::configuration, "{}: is not a JSON object", path_.string());
  values_ = std::move(value.as_object());
}

std::optional<std::string> TokenizerConfig::special_token(const char* name) const {
  const json::value* value = values_.if_contains(name);
  return value ? text_in(*value) : std::nullopt;
}

std::vector<std::pair<std::string, std::string>> TokenizerConfig::special_tokens() const {
  std::vector<std::pair<std::string, std::string>> tokens;
  for (const char* name : special_names)
    if (auto token = special_token(name)) tokens.emplace_back(name, std::move(*token));
  return tokens;
}

std::optional<std::string> TokenizerConfig::chat_template() const {
  const json::value* value = values_.if_contains("chat_template");
  if (!value) return std::nullopt;
  if (value->is_string()) return std::string(value->as_string());
  if (!value->is_array()) return std::nullopt;
  for (const json::value& one : value->as_array()) {
    const json::object* object = one.if_object();
    const json::value* name = object ? object->if_contains("name") : nullptr;
    const json::value* source = object ? object->if_contains("template") : nullptr;
    if (name && name->is_string() && name->as_string() == "default" && source && source->is_string())
      return std::string(source->as_string());
  }
  return std::nullopt;
}

std::string chat_template_source(const ChatFormat& format, const std::filesystem::path& folder) {
  const std::string& name = format.chat_template;
  if (name == "jinja") return format.source;
  for (const BuiltIn& one : built_in)
    if (one.name == name) return std::string(one.source);
  if (name != "tokenizer_default")
    fail(ExitCode::configuration,
         "chat_template: there is no \"{}\"; known are tokenizer_default, {}and jinja with "
         "chat_template_jinja",
         name.substr(0, 60), built_in_names());
  if (std::filesystem::exists(folder / "chat_template.jinja"))
    return read_text(folder / "chat_template.jinja", 1 << 20);
  if (auto own = TokenizerConfig(folder).chat_template()) return std::move(*own);
  fail(ExitCode::configuration,
       "{}: the model has no chat template; set chat_template to {}or give one with chat_template_jinja",
       folder.string(), built_in_names());
}

}  // namespace trireme::io
