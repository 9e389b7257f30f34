#include "io/template/value.h"

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace trireme::io::jinja {
namespace {

int depth_of(const Value& value) {
  if (const Sequence* sequence = value.sequence()) return sequence->depth;
  if (const Mapping* mapping = value.mapping()) return mapping->depth;
  return 0;
}

void check_depth(int depth) {
  if (depth > deepest_value) refuse(fmt::format("lists are nested more than {} levels deep", deepest_value));
}

}  // namespace

void refuse(const std::string& message) {
  throw Error(ExitCode::damaged, message);
}

const Value* Mapping::find(std::string_view key) const {
  for (const auto& [name, value] : items)
    if (name == key) return &value;
  return nullptr;
}

Value make_sequence(std::vector<Value> items, bool is_tuple) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, depth_of(item));
  check_depth(depth + 1);
  return std::make_shared<const Sequence>(Sequence{std::move(items), is_tuple, depth + 1});
}

Value make_mapping(std::vector<std::pair<std::string, Value>> items) {
  int depth = 0;
  for (const auto& item : items) depth = std::max(depth, depth_of(item.second));
  check_depth(depth + 1);
  return std::make_shared<const Mapping>(Mapping{std::move(items), depth + 1});
}

Value undefined(std::string why) {
  return Undefined{std::make_shared<const std::string>(std::move(why))};
}

Value from_json(const boost::json::value& json) {
  switch (json.kind()) {
    case boost::json::kind::null:
      return {};
    case boost::json::kind::bool_:
      return json.get_bool();
    case boost::json::kind::int64:
      return json.get_int64();
    case boost::json::kind::uint64:
      if (json.get_uint64() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        refuse(fmt::format("the number {} is too large", json.get_uint64()));
      return static_cast<std::int64_t>(json.get_uint64());
    case boost::json::kind::double_:
      return json.get_double();
    case boost::json::kind::string:
      return std::string_view(json.get_string());
    case boost::json::kind::array: {
      std::vector<Value> items;
      items.reserve(json.get_array().size());
      for (const auto& item : json.get_array()) items.push_back(from_json(item));
      return make_sequence(std::move(items));
    }
    case boost::json::kind::object: {
      std::vector<std::pair<std::string, Value>> items;
      items.reserve(json.get_object().size());
      for (const auto& [key, item] : json.get_object()) items.emplace_back(std::string(key), from_json(item));
      return make_mapping(std::move(items));
    }
  }
  return {};
}

std::string_view kind_of(const Value& value) {
  constexpr std::string_view names[] = {"undefined",   "none",   "a boolean", "a whole number",
                                        "a number",    "a text", "a list",    "a dictionary",
                                        "a namespace", "a loop", "a function"};
  return names[value.data().index()];
}

bool is_true(const Value& value) {
  struct Truth {
    bool operator()(const Undefined&) const { return false; }
    bool operator()(const None&) const { return false; }
    bool operator()(bool value) const { return value; }
    bool operator()(std::int64_t value) const { return value != 0; }
    bool operator()(double value) const { return value != 0; }
    bool operator()(const Text& text) const { return !text->empty(); }
    bool operator()(const std::shared_ptr<const Sequence>& list) const { return !list->items.empty(); }
    bool operator()(const std::shared_ptr<const Mapping>& dict) const { return !dict->items.empty(); }
    bool operator()(const Space*) const { return true; }
    bool operator()(const std::shared_ptr<Loop>&) const { return true; }
    bool operator()(const std::shared_ptr<const Callable>&) const { return true; }
  };
  return std::visit(Truth{}, value.data());
}

bool as_integer(const Value& value, std::int64_t& number) {
  if (const bool* boolean = value.get_if<bool>()) return number = *boolean ? 1 : 0, true;
  if (const std::int64_t* integer = value.integer()) return number = *integer, true;
  return false;
}

bool as_number(const Value& value, double& number) {
  std::int64_t integer = 0;
  if (as_integer(value, integer)) return number = static_cast<double>(integer), true;
  if (const double* real = value.get_if<double>()) return number = *real, true;
  return false;
}

const Value* Arguments::find(std::size_t place, std::string_view name) const {
  if (place < positional.size()) return &positional[place];
  for (const auto& [key, value] : named)
    if (key == name) return &value;
  return nullptr;
}

const Value& Arguments::at(std::size_t place, std::string_view name, std::string_view who) const {
  const Value* value = find(place, name);
  if (!value) refuse(fmt::format("{} needs the argument {}", who, name));
  return *value;
}

void Arguments::expect_at_most(std::size_t count, std::string_view who) const {
  if (positional.size() + named.size() > count)
    refuse(
        fmt::format("{} takes at most {} arguments, not {}", who, count, positional.size() + named.size()));
}

}  // namespace trireme::io::jinja
