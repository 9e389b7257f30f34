#include "io/template/methods.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "io/template/operators.h"
#include "io/template/text_methods.h"

namespace trireme::io::jinja {
namespace {

Value pair_of(Runtime& runtime, const std::string& key, const Value& value) {
  return runtime.list({Value(key), value}, true);
}

Value dict_items(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(0, "items");
  std::vector<Value> items;
  for (const auto& [key, value] : object.mapping()->items) items.push_back(pair_of(runtime, key, value));
  return runtime.list(std::move(items));
}

Value dict_keys(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(0, "keys");
  return runtime.list(items_of(object, runtime));
}

Value dict_values(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(0, "values");
  std::vector<Value> items;
  for (const auto& item : object.mapping()->items) items.push_back(item.second);
  return runtime.list(std::move(items));
}

Value dict_get(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(2, "get");
  const std::string* key = arguments.at(0, "key", "get").text();
  runtime.spend(object.mapping()->items.size());
  const Value* value = key ? object.mapping()->find(*key) : nullptr;
  const Value* otherwise = arguments.find(1, "default");
  return value ? *value : otherwise ? *otherwise : Value();
}

Value list_index(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(1, "index");
  const auto& items = object.sequence()->items;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (equal(items[i], arguments.at(0, "value", "index"), runtime)) return static_cast<std::int64_t>(i);
  refuse("index: the value is not in the list");
}

Value list_count(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(1, "count");
  std::int64_t count = 0;
  for (const Value& item : object.sequence()->items)
    count += equal(item, arguments.at(0, "value", "count"), runtime) ? 1 : 0;
  return count;
}

/// transformers' sandbox forbids them too.
Value list_change(Runtime&, const Value&, const Arguments&) {
  refuse("a template may not change a list or dictionary; make a new one and assign it");
}

Value loop_cycle(Runtime&, const Value& object, const Arguments& arguments) {
  if (arguments.positional.empty()) refuse("loop.cycle needs a value");
  return arguments.positional[(*object.get_if<std::shared_ptr<Loop>>())->index % arguments.positional.size()];
}

Value loop_changed(Runtime& runtime, const Value& object, const Arguments& arguments) {
  Loop& loop = **object.get_if<std::shared_ptr<Loop>>();
  const Value now = runtime.list(arguments.positional, true);
  const bool same = !loop.seen.empty() && equal(loop.seen.front(), now, runtime);
  loop.seen.assign(1, now);
  return !same;
}

struct Entry {
  std::string_view name;
  Method method;
};

constexpr std::array dict_methods{Entry{"items", dict_items}, Entry{"keys", dict_keys},
                                  Entry{"values", dict_values}, Entry{"get", dict_get}};
constexpr std::array list_methods{Entry{"index", list_index},   Entry{"count", list_count},
                                  Entry{"append", list_change}, Entry{"insert", list_change},
                                  Entry{"extend", list_change}, Entry{"pop", list_change},
                                  Entry{"remove", list_change}};
constexpr std::array loop_methods{Entry{"cycle", loop_cycle}, Entry{"changed", loop_changed}};

template <std::size_t count>
Method find_in(const std::array<Entry, count>& methods, std::string_view name) {
  const auto* const found =
      std::find_if(methods.begin(), methods.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == methods.end() ? nullptr : found->method;
}

}  // namespace

Method method_named(const Value& object, std::string_view name) {
  if (object.mapping()) return find_in(dict_methods, name);
  if (object.text()) return text_method_named(name);
  if (object.sequence()) return find_in(list_methods, name);
  if (object.get_if<std::shared_ptr<Loop>>()) return find_in(loop_methods, name);
  return nullptr;
}

}  // namespace trireme::io::jinja
