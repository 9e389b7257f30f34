#include "io/data/conversation.h"

#include <algorithm>

#include "core/error.h"
#include "io/strict_json.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

/// Data files made from tables hold a null for every member that any row has.
json::value without_nulls(const json::value& value) {
  if (const json::object* object = value.if_object()) {
    json::object kept;
    for (const auto& [key, member] : *object)
      if (!member.is_null()) kept[key] = without_nulls(member);
    return kept;
  }
  if (const json::array* array = value.if_array()) {
    json::array kept;
    for (const json::value& item : *array) kept.push_back(without_nulls(item));
    return kept;
  }
  return value;
}

/// Arguments and parameters may come as JSON in a text.
void parse_if_text(json::value& value, const std::string& where) {
  if (!value.is_string()) return;
  try {
    value = parse_strict_json(std::string_view(value.as_string()), where);
  } catch (const Error& error) {
    fail(ExitCode::damaged, "{}", error.what());
  }
}

void parse_function_member(json::value& holder, const char* name, const std::string& where) {
  json::object* object = holder.if_object();
  json::value* function = object ? object->if_contains("function") : nullptr;
  json::object* inner = function ? function->if_object() : nullptr;
  if (json::value* member = inner ? inner->if_contains(name) : nullptr) parse_if_text(*member, where);
}

/// A list of nothing but texts is one text.
void join_parts(json::value& content) {
  const json::array* parts = content.if_array();
  if (!parts || parts->empty()) return;
  std::string text;
  for (const json::value& part : *parts) {
    const json::object* object = part.if_object();
    const json::value* type = object ? object->if_contains("type") : nullptr;
    const json::value* piece = object ? object->if_contains("text") : nullptr;
    if (!type || !piece || !type->is_string() || type->as_string() != "text" || !piece->is_string()) return;
    text += std::string_view(piece->as_string());
  }
  content = json::string(text);
}

bool trains(const ChatFormat& format, const std::string& role) {
  const auto& roles = format.roles_to_train;
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

Message read_message(const ChatFormat& format, bool train_on_inputs, const json::value& given,
                     const std::string& where) {
  const json::object* object = given.if_object();
  if (!object) fail(ExitCode::damaged, "{} is not an object", where);
  json::object kept;
  Message message;
  bool scored = train_on_inputs;
  if (const json::value* role = object->if_contains(format.role_field); role && role->is_string()) {
    message.role = std::string(role->as_string());
  } else {
    fail(ExitCode::damaged, "{} has no role \"{}\" that is a text", where, format.role_field.substr(0, 80));
  }
  if (const auto known = format.roles.find(message.role); known != format.roles.end())
    message.role = known->second;
  scored = scored || trains(format, message.role);
  kept["role"] = message.role;
  for (const auto& [key, member] : *object) {
    const std::string_view name = key;
    if (name == format.role_field) continue;
    if (!format.training_field.empty() && name == format.training_field) {
      if (!member.is_bool())
        fail(ExitCode::damaged, "{}: \"{}\" must be true or false", where,
             std::string_view(name).substr(0, 80));
      scored = member.as_bool();
    } else {
      kept[name == format.content_field ? std::string_view("content") : name] = member;
    }
  }
  message.scored = scored;
  if (json::value* content = kept.if_contains("content")) {
    join_parts(*content);
    if (content->is_string()) message.content = std::string(content->as_string());
    message.is_plain = content->is_string() && kept.size() == 2;
  }
  if (json::value* calls = kept.if_contains("tool_calls"); calls && calls->is_array())
    for (json::value& call : calls->as_array())
      parse_function_member(call, "arguments", where + ", tool_calls");
  message.value = jinja::from_json(kept);
  return message;
}

bool begins_with_system(const ChatFormat& format, const json::value& message) {
  const json::object* object = message.if_object();
  const json::value* role = object ? object->if_contains(format.role_field) : nullptr;
  return role && role->is_string() && role->as_string() == "system";
}

void add_system(const ChatFormat& format, bool train_on_inputs, const json::object& row,
                Conversation& conversation) {
  const json::value* system = row.if_contains(format.field_system);
  if (!system || !system->is_string()) return;
  Message message;
  message.role = "system", message.content = std::string(system->as_string()), message.is_plain = true;
  message.scored = train_on_inputs || trains(format, message.role);
  message.value = message.with_content_alone(message.content);
  conversation.messages.push_back(std::move(message));
}

}  // namespace

jinja::Value Message::with_content_alone(std::string text) const {
  return jinja::make_mapping({{"role", jinja::Value(role)}, {"content", jinja::Value(std::move(text))}});
}

jinja::Value Message::with_content(std::string text) const {
  auto members = value.mapping()->items;
  for (auto& [name, member] : members)
    if (name == "content") {
      member = jinja::Value(std::move(text));
      break;
    }
  return jinja::make_mapping(std::move(members));
}

Conversation read_conversation(const ChatFormat& format, bool train_on_inputs, const json::object& row,
                               const std::string& where) {
  Conversation conversation;
  conversation.where = where;
  const json::value* messages = row.if_contains(format.field_messages);
  if (!messages || messages->is_null())
    fail(ExitCode::damaged, "{}: the field \"{}\" is missing", where, format.field_messages.substr(0, 80));
  json::value given = without_nulls(*messages);
  parse_if_text(given, where + ", " + format.field_messages);
  if (!given.is_array() || given.as_array().empty())
    fail(ExitCode::damaged, "{}: the field \"{}\" is not a list of messages", where,
         format.field_messages.substr(0, 80));
  std::size_t number = 0;
  try {
    if (!begins_with_system(format, given.as_array().front()))
      add_system(format, train_on_inputs, row, conversation);
    for (const json::value& message : given.as_array())
      conversation.messages.push_back(
          read_message(format, train_on_inputs, message, fmt::format("{}: message {}", where, number++)));
    if (const json::value* tools = row.if_contains(format.field_tools); tools && !tools->is_null()) {
      json::value plain = without_nulls(*tools);
      parse_if_text(plain, where + ", " + format.field_tools);
      if (!plain.is_array())
        fail(ExitCode::damaged, "{}: the field \"{}\" is not a list", where,
             format.field_tools.substr(0, 80));
      for (json::value& tool : plain.as_array())
        parse_function_member(tool, "parameters", where + ", " + format.field_tools);
      if (!plain.as_array().empty()) conversation.tools = jinja::from_json(plain);
    }
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.starts_with(where)) throw;
    fail(ExitCode::damaged, "{}: {}", where, message);
  }
  if (format.drop_system_message && conversation.messages.front().role == "system")
    conversation.messages.erase(conversation.messages.begin());
  for (Message& message : conversation.messages)
    message.wanted = message.scored || format.train_on_eos == EndTokens::all;
  return conversation;
}

}  // namespace trireme::io
