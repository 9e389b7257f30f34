#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "io/template/conditions.h"
#include "io/template/filters.h"
#include "io/template/letters.h"
#include "io/template/operators.h"
#include "io/template/python_text.h"

namespace trireme::io::jinja {
namespace {

std::vector<Value> items(const FilterCall& call) {
  return items_of(call.value, call.runtime);
}

/// The member at a path with dots: "function.name", "0.text".
Value member_at(const Value& value, std::string_view path, Runtime& runtime) {
  Value found = value;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view name = path.substr(0, dot);
    std::int64_t index = 0;
    const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_index = status == std::errc() && end == name.data() + name.size() && index >= 0;
    found = subscript(found, is_index ? Value(index) : Value(name), runtime);
    if (dot == std::string_view::npos) return found;
    path.remove_prefix(dot + 1);
  }
}

/// What things are sorted and compared by.
Value key_of(const FilterCall& call, const Value& item, const Value* path, bool keeps_case) {
  Value key = item;
  if (path && !path->is_none()) {
    if (path->integer()) {
      key = subscript(item, *path, call.runtime);
    } else if (path->text()) {
      key = member_at(item, *path->text(), call.runtime);
    } else {
      refuse("the attribute must be a name");
    }
  }
  return !keeps_case && key.text() ? call.runtime.text(to_lower(*key.text())) : key;
}

bool flag(const FilterCall& call, std::size_t place, std::string_view name) {
  const Value* value = call.arguments.find(place, name);
  return value && is_true(*value);
}

Value joined(const FilterCall& call) {
  const Value* between = call.arguments.find(0, "d");
  const Value* path = call.arguments.find(1, "attribute");
  const std::string separator = between ? to_text(*between, call.runtime) : "";
  std::string result;
  bool first = true;
  for (const Value& item : items(call)) {
    const std::string part = to_text(key_of(call, item, path, true), call.runtime);
    if (!std::exchange(first, false)) result += separator;
    result += part;
    call.runtime.spend(part.size() + separator.size());
  }
  return Value(std::move(result));
}

Value first(const FilterCall& call) {
  const auto all = items(call);
  return all.empty() ? undefined("the list is empty and has no first item") : all.front();
}

Value last(const FilterCall& call) {
  const auto all = items(call);
  return all.empty() ? undefined("the list is empty and has no last item") : all.back();
}

Value list(const FilterCall& call) {
  return call.runtime.list(items(call));
}

Value reversed(const FilterCall& call) {
  auto all = items(call);
  std::reverse(all.begin(), all.end());
  if (!call.value.text()) return call.runtime.list(std::move(all));
  std::string text;
  for (const Value& letter : all) text += *letter.text();
  return call.runtime.text(std::move(text));
}

using Keyed = std::vector<std::pair<Value, Value>>;

void sort_by_key(Keyed& keyed, bool descending, Runtime& runtime) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return descending ? less(b.first, a.first, runtime) : less(a.first, b.first, runtime);
  });
}

Value sorted(const FilterCall& call) {
  const Value* path = call.arguments.find(2, "attribute");
  Keyed keyed;
  for (const Value& item : items(call))
    keyed.emplace_back(key_of(call, item, path, flag(call, 1, "case_sensitive")), item);
  sort_by_key(keyed, flag(call, 0, "reverse"), call.runtime);
  std::vector<Value> result;
  for (auto& item : keyed) result.push_back(std::move(item.second));
  return call.runtime.list(std::move(result));
}

Value pairs_of(const FilterCall& call, bool in_order) {
  if (call.value.is_undefined() && !in_order) return call.runtime.list({});
  if (!call.value.mapping()) refuse(fmt::format("a dictionary is needed, not {}", kind_of(call.value)));
  const Value* by = call.arguments.find(1, "by");
  const bool by_value = by && by->text() && *by->text() == "value";
  Keyed keyed;
  for (const auto& [key, value] : call.value.mapping()->items) {
    const Value item = call.runtime.list({Value(key), value}, true);
    const Value& chosen = item.sequence()->items[by_value ? 1 : 0];
    keyed.emplace_back(key_of(call, chosen, nullptr, flag(call, 0, "case_sensitive")), item);
  }
  if (in_order) sort_by_key(keyed, flag(call, 2, "reverse"), call.runtime);
  std::vector<Value> result;
  for (auto& item : keyed) result.push_back(std::move(item.second));
  return call.runtime.list(std::move(result));
}

Value pairs(const FilterCall& call) {
  return pairs_of(call, false);
}
Value sorted_pairs(const FilterCall& call) {
  return pairs_of(call, true);
}

Value unique(const FilterCall& call) {
  const Value* path = call.arguments.find(1, "attribute");
  std::vector<Value> seen, result;
  for (const Value& item : items(call)) {
    Value key = key_of(call, item, path, flag(call, 0, "case_sensitive"));
    if (std::any_of(seen.begin(), seen.end(),
                    [&](const Value& other) { return equal(other, key, call.runtime); }))
      continue;
    seen.push_back(std::move(key));
    result.push_back(item);
  }
  return call.runtime.list(std::move(result));
}

template <bool largest>
Value extreme(const FilterCall& call) {
  const Value* path = call.arguments.find(1, "attribute");
  Value best, best_key;
  bool any = false;
  for (const Value& item : items(call)) {
    Value key = key_of(call, item, path, flag(call, 0, "case_sensitive"));
    if (any && !(largest ? less(best_key, key, call.runtime) : less(key, best_key, call.runtime))) continue;
    best = item, best_key = std::move(key), any = true;
  }
  return any ? best : undefined("the list is empty");
}

Value sum(const FilterCall& call) {
  const Value* path = call.arguments.find(0, "attribute");
  const Value* start = call.arguments.find(1, "start");
  Value total = start ? *start : Value(std::int64_t{0});
  for (const Value& item : items(call))
    total = arithmetic("+", total, key_of(call, item, path, true), call.runtime);
  return total;
}

/// The arguments behind the first `count`.
Arguments behind(const Arguments& all, std::size_t count) {
  Arguments rest;
  for (std::size_t i = count; i < all.positional.size(); ++i) rest.positional.push_back(all.positional[i]);
  return rest;
}

Value mapped(const FilterCall& call) {
  std::vector<Value> result;
  if (call.arguments.positional.empty()) {
    const Value& path = call.arguments.at(1, "attribute", "map");
    const Value* fallback = call.arguments.find(2, "default");
    for (const Value& item : items(call)) {
      Value found = key_of(call, item, &path, true);
      if (fallback && found.is_undefined()) found = *fallback;
      result.push_back(std::move(found));
    }
    return call.runtime.list(std::move(result));
  }
  const Value& name = call.arguments.positional.front();
  const Filter filter = name.text() ? filter_named(*name.text()) : nullptr;
  if (!filter) refuse("map needs the name of a filter that is known");
  Arguments rest = behind(call.arguments, 1);
  rest.named = call.arguments.named;
  const Runtime::Level level(call.runtime);
  for (const Value& item : items(call)) result.push_back(filter({call.runtime, item, rest}));
  return call.runtime.list(std::move(result));
}

template <bool wanted, bool by_member>
Value chosen(const FilterCall& call) {
  constexpr std::size_t place = by_member ? 1 : 0;
  const Value* path = by_member ? &call.arguments.at(0, "attribute", "selectattr") : nullptr;
  Condition condition = nullptr;
  if (call.arguments.positional.size() > place) {
    const Value& name = call.arguments.positional[place];
    condition = name.text() ? condition_named(*name.text()) : nullptr;
    if (!condition) refuse("the test to select by is not known");
  }
  const Arguments rest = behind(call.arguments, place + 1);
  std::vector<Value> result;
  for (const Value& item : items(call)) {
    const Value key = key_of(call, item, path, true);
    if ((condition ? condition({call.runtime, key, rest}) : is_true(key)) == wanted) result.push_back(item);
  }
  return call.runtime.list(std::move(result));
}

struct Entry {
  std::string_view name;
  Filter filter;
};

constexpr std::array filters{Entry{"join", joined},
                             Entry{"first", first},
                             Entry{"last", last},
                             Entry{"list", list},
                             Entry{"reverse", reversed},
                             Entry{"sort", sorted},
                             Entry{"items", pairs},
                             Entry{"dictsort", sorted_pairs},
                             Entry{"unique", unique},
                             Entry{"min", extreme<false>},
                             Entry{"max", extreme<true>},
                             Entry{"sum", sum},
                             Entry{"map", mapped},
                             Entry{"select", chosen<true, false>},
                             Entry{"reject", chosen<false, false>},
                             Entry{"selectattr", chosen<true, true>},
                             Entry{"rejectattr", chosen<false, true>}};

}  // namespace

Filter list_filter_named(std::string_view name) {
  const auto* const found =
      std::find_if(filters.begin(), filters.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == filters.end() ? nullptr : found->filter;
}

}  // namespace trireme::io::jinja
