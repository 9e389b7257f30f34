#include "jobs/data_sets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/ranges.h>

#include "core/error.h"
#include "jobs/suggest.h"

namespace trireme::jobs {
namespace {

struct FormatKey {
  std::string_view name;
  std::string io::PromptFormat::*place;
};
constexpr std::array format_keys{FormatKey{"system_prompt", &io::PromptFormat::system_prompt},
                                 FormatKey{"system_format", &io::PromptFormat::system_format},
                                 FormatKey{"field_system", &io::PromptFormat::field_system},
                                 FormatKey{"field_instruction", &io::PromptFormat::field_instruction},
                                 FormatKey{"field_input", &io::PromptFormat::field_input},
                                 FormatKey{"field_output", &io::PromptFormat::field_output},
                                 FormatKey{"format", &io::PromptFormat::format},
                                 FormatKey{"no_input_format", &io::PromptFormat::no_input_format}};

constexpr std::array<std::string_view, 6> types{"tokens",       "alpaca",        "completion",
                                                "input_output", "chat_template", "sharegpt"};
constexpr std::array<std::string_view, 4> end_token_words{"turn", "all", "last", "none"};

void read_format(const std::string& where, const YAML::Node& mapping, io::PromptFormat& format) {
  format.kind = io::PromptFormat::Kind::instruction;
  std::vector<std::string_view> names;
  for (const FormatKey& key : format_keys) names.push_back(key.name);
  for (const auto& item : mapping) {
    const std::string name = item.first.IsScalar() ? item.first.Scalar() : "(not a word)";
    const auto* const key = std::find_if(format_keys.begin(), format_keys.end(),
                                         [&](const FormatKey& candidate) { return candidate.name == name; });
    if (key == format_keys.end())
      fail(ExitCode::configuration, "{}.type: the key {} is unknown{}", where, name.substr(0, 80),
           did_you_mean(name, names));
    if (!item.second.IsScalar() && !item.second.IsNull())
      fail(ExitCode::configuration, "{}.type.{} must be one word or text", where, name);
    format.*(key->place) = item.second.IsNull() ? "" : item.second.Scalar();
  }
}

void read_type(const std::string& where, const YAML::Node& type, DataSet& set) {
  if (type.IsMap()) {
    set.type = "custom";
    return read_format(where, type, set.format);
  }
  if (type.IsNull()) return;
  if (!type.IsScalar())
    fail(ExitCode::configuration, "{}.type must be a name or a mapping with formats and fields", where);
  set.type = type.Scalar();
  if (std::find(types.begin(), types.end(), set.type) == types.end())
    fail(ExitCode::configuration, "{}.type: {} is not known{}; there are {}, and a mapping of your own",
         where, set.type.substr(0, 60), did_you_mean(set.type, {types.begin(), types.end()}),
         fmt::join(types, ", "));
  if (set.type != "tokens") set.format = io::prompt_format_named(set.type);
  // What the dataset leaves open, the job says.
  if (set.type == "chat_template" || set.type == "sharegpt") set.format.chat.chat_template.clear();
}

const std::string& scalar(const std::string& where, const YAML::Node& value) {
  if (!value.IsScalar()) fail(ExitCode::configuration, "{} must be one word, number or text", where);
  return value.Scalar();
}

std::int64_t read_row_number(const std::string& where, const YAML::Node& value) {
  const std::string& text = scalar(where, value);
  std::int64_t number = -1;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size() || number < 0)
    fail(ExitCode::configuration, "{} must be a whole number of rows, from 0 on", where);
  return number;
}

/// It becomes part of names of curves, where a slash groups.
std::string read_name(const std::string& where, const YAML::Node& value) {
  const std::string& text = scalar(where, value);
  const bool plain =
      !text.empty() && text.size() <= 80 && std::all_of(text.begin(), text.end(), [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               (letter >= '0' && letter <= '9') || letter == '_' || letter == '-' || letter == '.';
      });
  if (!plain) fail(ExitCode::configuration, "{} must be a word of letters, digits, _, - and .", where);
  return text;
}

bool read_flag(const std::string& where, const YAML::Node& value) {
  const std::string& text = scalar(where, value);
  if (text != "true" && text != "false") fail(ExitCode::configuration, "{} must be true or false", where);
  return text == "true";
}

double read_weight(const std::string& where, const YAML::Node& value) {
  const std::string& text = scalar(where, value);
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size() || !(number > 0 && number <= 1000))
    fail(ExitCode::configuration, "{} must be a number above 0 and up to 1000", where);
  return number;
}

std::string read_choice(const std::string& where, const YAML::Node& value,
                        const std::vector<std::string_view>& choices) {
  const std::string& text = scalar(where, value);
  if (std::find(choices.begin(), choices.end(), text) == choices.end())
    fail(ExitCode::configuration, "{} must be one of {}, not \"{}\"{}", where, fmt::join(choices, ", "),
         text.substr(0, 60), did_you_mean(text, choices));
  return text;
}

void read_mappings(const std::string& where, const YAML::Node& value, io::ChatFormat& chat) {
  if (!value.IsMap()) fail(ExitCode::configuration, "{} must be a mapping with role and content", where);
  for (const auto& item : value) {
    const std::string name = item.first.IsScalar() ? item.first.Scalar() : "(not a word)";
    if (name == "role") {
      chat.role_field = scalar(where + ".role", item.second);
    } else if (name == "content") {
      chat.content_field = scalar(where + ".content", item.second);
    } else if (!item.second.IsScalar() || item.second.Scalar() != name) {
      fail(ExitCode::configuration, "{}.{}: only role and content have other names; the rest keep theirs",
           where, name.substr(0, 80));
    }
  }
}

void read_roles(const std::string& where, const YAML::Node& value, io::ChatFormat& chat) {
  if (!value.IsMap()) fail(ExitCode::configuration, "{} must be a mapping of roles to lists of names", where);
  chat.roles.clear();
  for (const auto& item : value) {
    const std::string role = item.first.IsScalar() ? item.first.Scalar() : "(not a word)";
    for (const std::string& name : read_words(fmt::format("{}.{}", where, role.substr(0, 80)), item.second))
      chat.roles[name] = role;
  }
}

using Read = void (*)(const std::string& where, const YAML::Node& value, DataSet& set);
enum class For { all, rows, chats, completion };
struct SetKey {
  std::string_view name;
  For whom;
  Read read;
};

constexpr std::array
    set_keys{
        SetKey{"path", For::all,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.path = scalar(where, value);
               }},
        SetKey{"name", For::all,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.name = read_name(where, value);
               }},
        SetKey{"field", For::completion,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.field = scalar(where, value);
               }},
        SetKey{"start", For::rows,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.start = read_row_number(where, value);
               }},
        SetKey{"end", For::rows,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.end = read_row_number(where, value);
               }},
        SetKey{"skip_bad_rows", For::rows,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.skip_bad_rows = read_flag(where, value);
               }},
        SetKey{"weight", For::rows,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.weight = read_weight(where, value);
               }},
        SetKey{"ds_type", For::rows,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.ds_type = read_choice(where, value, {"auto", "json", "csv", "text"});
               }},
        SetKey{"sample_by", For::rows,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.sample_by = read_choice(where, value, {"line", "paragraph", "document"});
               }},
        SetKey{"chat_template", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.chat.chat_template = scalar(where, value);
               }},
        SetKey{"chat_template_jinja", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.chat.source = scalar(where, value);
               }},
        SetKey{"field_messages", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.chat.field_messages = scalar(where, value);
               }},
        SetKey{"field_tools", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.chat.field_tools = scalar(where, value);
               }},
        SetKey{"field_system", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.chat.field_system = scalar(where, value);
               }},
        SetKey{"message_property_mappings", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 read_mappings(where, value, set.format.chat);
               }},
        SetKey{"message_field_training", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.chat.training_field = scalar(where, value);
               }},
        SetKey{"roles", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 read_roles(where, value, set.format.chat);
               }},
        SetKey{"roles_to_train", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.chat.roles_to_train = read_words(where, value);
               }},
        SetKey{"train_on_eos", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 const std::string word =
                     read_choice(where, value, {end_token_words.begin(), end_token_words.end()});
                 const auto* const found = std::find(end_token_words.begin(), end_token_words.end(), word);
                 set.format.chat.train_on_eos = static_cast<io::EndTokens>(found - end_token_words.begin());
               }},
        SetKey{"drop_system_message", For::chats,
               +[](const std::string& where, const YAML::Node& value, DataSet& set) {
                 set.format.chat.drop_system_message = read_flag(where, value);
               }}};

bool is_chat(const DataSet& set) {
  return set.type == "chat_template" || set.type == "sharegpt";
}

void read_key(const std::string& where, const std::string& name, const YAML::Node& value, DataSet& set) {
  const auto* const key =
      std::find_if(set_keys.begin(), set_keys.end(), [&](const SetKey& one) { return one.name == name; });
  if (key == set_keys.end()) {
    std::vector<std::string_view> names{"type"};
    for (const SetKey& one : set_keys) names.push_back(one.name);
    fail(ExitCode::configuration, "{}: the key {} is unknown{}", where, name.substr(0, 80),
         did_you_mean(name, names));
  }
  if (key->whom == For::chats && !is_chat(set))
    fail(ExitCode::configuration, "{}: {} is for type chat_template and sharegpt, not {}", where, name,
         set.type);
  if (key->whom == For::completion && set.type != "completion")
    fail(ExitCode::configuration, "{}: {} is for type completion, not {}", where, name, set.type);
  if (value.IsNull()) return;
  key->read(fmt::format("{}.{}", where, name), value, set);
}

}  // namespace

std::vector<std::string> read_words(const std::string& where, const YAML::Node& value) {
  std::vector<std::string> words;
  if (value.IsScalar()) return {value.Scalar()};
  if (value.IsNull()) return words;
  if (!value.IsSequence()) fail(ExitCode::configuration, "{} must be a list of words", where);
  for (const auto& word : value) {
    if (!word.IsScalar()) fail(ExitCode::configuration, "{} must be a list of words", where);
    words.push_back(word.Scalar());
  }
  return words;
}

DataSet read_data_set(const std::string& where, const YAML::Node& entry) {
  if (!entry.IsMap()) fail(ExitCode::configuration, "{} must be a mapping with path and type", where);
  DataSet set;
  // The type first: it decides what the other keys change.
  if (entry["type"]) read_type(where, entry["type"], set);
  for (const auto& item : entry) {
    const std::string name = item.first.IsScalar() ? item.first.Scalar() : "(not a word)";
    if (name != "type") read_key(where, name, item.second, set);
  }
  if (set.path.empty()) fail(ExitCode::configuration, "{} has no path", where);
  if (set.end > 0 && set.end <= set.start)
    fail(ExitCode::configuration, "{}: end = {} is not above start = {}", where, set.end, set.start);
  if (set.is_token_array() && set != DataSet{.path = set.path, .name = set.name, .format = set.format})
    fail(ExitCode::configuration,
         "{}: start, end, weight and skip_bad_rows are for rows of text, not for type tokens in an array",
         where);
  if (is_chat(set) && (set.format.chat.chat_template == "jinja") != !set.format.chat.source.empty() &&
      !(set.format.chat.chat_template.empty() && !set.format.chat.source.empty()))
    fail(ExitCode::configuration, "{}: chat_template: jinja and chat_template_jinja go together", where);
  if (!set.format.chat.source.empty()) set.format.chat.chat_template = "jinja";
  return set;
}

void write_data_set(YAML::Emitter& out, const DataSet& set) {
  const auto text = [&](const char* key, const std::string& value) {
    out << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << value;
  };
  const auto words = [&](const std::string& key, const std::vector<std::string>& values) {
    out << YAML::Key << key << YAML::Value << YAML::Flow << YAML::BeginSeq;
    for (const std::string& value : values) out << YAML::DoubleQuoted << value;
    out << YAML::EndSeq;
  };
  out << YAML::BeginMap;
  text("path", set.path);
  if (!set.name.empty()) text("name", set.name);
  if (set.type == "custom") {
    out << YAML::Key << "type" << YAML::Value << YAML::BeginMap;
    for (const FormatKey& key : format_keys) text(std::string(key.name).c_str(), set.format.*(key.place));
    out << YAML::EndMap;
  } else {
    text("type", set.type);
  }
  if (set.type == "completion") text("field", set.format.field);
  if (!set.is_token_array()) {
    out << YAML::Key << "start" << YAML::Value << set.start << YAML::Key << "end" << YAML::Value << set.end
        << YAML::Key << "skip_bad_rows" << YAML::Value << set.skip_bad_rows << YAML::Key << "weight"
        << YAML::Value << fmt::format("{}", set.weight);
    text("ds_type", set.ds_type), text("sample_by", set.sample_by);
  }
  if (is_chat(set)) {
    const io::ChatFormat& chat = set.format.chat;
    if (!chat.chat_template.empty()) text("chat_template", chat.chat_template);
    if (!chat.source.empty()) text("chat_template_jinja", chat.source);
    text("field_messages", chat.field_messages), text("field_tools", chat.field_tools),
        text("field_system", chat.field_system);
    out << YAML::Key << "message_property_mappings" << YAML::Value << YAML::BeginMap;
    text("role", chat.role_field), text("content", chat.content_field);
    out << YAML::EndMap;
    text("message_field_training", chat.training_field);
    std::map<std::string, std::vector<std::string>> roles;
    for (const auto& [name, role] : chat.roles) roles[role].push_back(name);
    out << YAML::Key << "roles" << YAML::Value << YAML::BeginMap;
    for (const auto& [role, names] : roles) words(role, names);
    out << YAML::EndMap;
    words("roles_to_train", chat.roles_to_train);
    text("train_on_eos", std::string(end_token_words[static_cast<std::size_t>(chat.train_on_eos)]));
    out << YAML::Key << "drop_system_message" << YAML::Value << chat.drop_system_message;
  }
  out << YAML::EndMap;
}

boost::json::value data_set_schema() {
  namespace json = boost::json;
  const json::object text{{"type", "string"}};
  json::array named{nullptr};
  for (const std::string_view type : types) named.emplace_back(std::string(type));
  json::object format, properties;
  for (const FormatKey& key : format_keys) format[std::string(key.name)] = text;
  for (const SetKey& key : set_keys) properties[std::string(key.name)] = json::object{};
  properties["path"] = text;
  properties["type"] = {
      {"oneOf",
       {json::object{{"enum", named}},
        json::object{{"type", "object"}, {"additionalProperties", false}, {"properties", format}}}}};
  for (const char* key : {"start", "end"}) properties[key] = {{"type", "integer"}, {"minimum", 0}};
  properties["weight"] = {{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 1000}};
  properties["name"] = {{"type", "string"}, {"pattern", "^[A-Za-z0-9_.-]+$"}};
  properties["skip_bad_rows"] = {{"type", "boolean"}};
  return {{"type", "object"},
          {"additionalProperties", false},
          {"properties", properties},
          {"required", {"path"}}};
}

}  // namespace trireme::jobs
