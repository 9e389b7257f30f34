#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "io/template/letters.h"
#include "io/template/methods.h"
#include "io/template/operators.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io::jinja {
namespace {

Value loop_member(const Loop& loop, std::string_view name) {
  const auto& items = loop.items->items;
  const auto index = static_cast<std::int64_t>(loop.index), count = static_cast<std::int64_t>(items.size());
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "revindex") return count - index;
  if (name == "revindex0") return count - index - 1;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == count;
  if (name == "length") return count;
  // Only a recursive for goes deeper.
  if (name == "depth") return std::int64_t{1};
  if (name == "depth0") return std::int64_t{0};
  if (name == "previtem") return index > 0 ? items[loop.index - 1] : undefined("there is no previous item");
  if (name == "nextitem")
    return index + 1 < count ? items[loop.index + 1] : undefined("there is no next item");
  return undefined(fmt::format("loop has no member {}", name));
}

std::string_view shortened(std::string_view name) {
  return name.substr(0, std::min<std::size_t>(name.size(), 80));
}

/// Where a slice begins and ends among `count` items, as Python's slice.indices.
struct Bounds {
  std::int64_t first, last, step;
};

Bounds bounds_of(const Value* first, const Value* last, const Value* step, std::int64_t count) {
  const auto number = [](const Value* value, std::int64_t otherwise) {
    std::int64_t result = otherwise;
    if (value && !value->is_none() && !as_integer(*value, result))
      refuse(fmt::format("a slice goes by whole numbers, not {}", kind_of(*value)));
    return result;
  };
  Bounds bounds{0, 0, number(step, 1)};
  if (bounds.step == 0) refuse("the step of a slice is 0");
  const bool forward = bounds.step > 0;
  const auto place = [&](const Value* value, std::int64_t otherwise) {
    if (!value || value->is_none()) return otherwise;
    std::int64_t at = number(value, 0);
    if (at < 0) at = at < -count ? -1 : at + count;
    if (at < 0) return forward ? std::int64_t{0} : std::int64_t{-1};
    return std::min(at, forward ? count : count - 1);
  };
  bounds.first = place(first, forward ? 0 : count - 1);
  bounds.last = place(last, forward ? count : -1);
  return bounds;
}

/// Calls with each index of the slice.
template <typename Take>
void walk(const Bounds& bounds, Take take) {
  if (bounds.step > 0) {
    for (std::int64_t at = bounds.first; at < bounds.last;) {
      take(static_cast<std::size_t>(at));
      if (bounds.step > bounds.last - at) return;
      at += bounds.step;
    }
  } else {
    for (std::int64_t at = bounds.first; at > bounds.last;) {
      take(static_cast<std::size_t>(at));
      if (bounds.step < bounds.last - at) return;
      at += bounds.step;
    }
  }
}

}  // namespace

std::vector<Value> items_of(const Value& value, Runtime& runtime) {
  std::vector<Value> items;
  if (const Sequence* sequence = value.sequence()) {
    items = sequence->items;
  } else if (const Mapping* mapping = value.mapping()) {
    for (const auto& item : mapping->items) items.emplace_back(item.first);
  } else if (const std::string* text = value.text()) {
    for (std::size_t at = 0; at < text->size();) {
      const auto bytes = static_cast<std::size_t>(unicode::decode(*text, at).bytes);
      runtime.spend(Runtime::item);
      items.emplace_back(text->substr(at, bytes));
      at += bytes;
    }
  } else if (!value.is_undefined()) {
    refuse(fmt::format("{} has no items to walk over", kind_of(value)));
  }
  runtime.spend(items.size() * Runtime::item);
  return items;
}

std::int64_t length_of(const Value& value) {
  if (const std::string* text = value.text())
    return static_cast<std::int64_t>(length_of(std::string_view(*text)));
  if (const Sequence* sequence = value.sequence()) return static_cast<std::int64_t>(sequence->items.size());
  if (const Mapping* mapping = value.mapping()) return static_cast<std::int64_t>(mapping->items.size());
  if (value.is_undefined()) return 0;
  refuse(fmt::format("{} has no length", kind_of(value)));
}

Value attribute(const Value& object, std::string_view name) {
  if (const Undefined* missing = object.get_if<Undefined>()) refuse(*missing->why);
  if (const auto* loop = object.get_if<std::shared_ptr<Loop>>(); loop && name != "cycle" && name != "changed")
    return loop_member(**loop, name);
  if (const auto* space = object.get_if<Space*>()) {
    for (const auto& [key, value] : (*space)->members)
      if (key == name) return value;
    return undefined(fmt::format("the namespace has no member {}", shortened(name)));
  }
  if (const Method method = method_named(object, name)) {
    auto call = [method, object](Runtime& runtime, const Arguments& arguments) {
      return method(runtime, object, arguments);
    };
    return std::make_shared<const Callable>(Callable{std::string(name), std::move(call)});
  }
  if (const Mapping* mapping = object.mapping())
    if (const Value* value = mapping->find(name)) return *value;
  return undefined(fmt::format("{} has no member {}", kind_of(object), shortened(name)));
}

Value subscript(const Value& object, const Value& index, Runtime& runtime) {
  if (const Undefined* missing = object.get_if<Undefined>()) refuse(*missing->why);
  std::int64_t place = 0;
  if (as_integer(index, place) && (object.sequence() || object.text())) {
    const std::int64_t count = length_of(object);
    if (place < 0) place += count;
    if (place < 0 || place >= count)
      return undefined(fmt::format("{} has no item {}", kind_of(object), place));
    const auto at = static_cast<std::size_t>(place);
    if (const Sequence* sequence = object.sequence()) return sequence->items[at];
    const std::string_view text = *object.text();
    runtime.spend(text.size());
    const std::size_t begin = byte_of(text, at);
    return Value(text.substr(begin, byte_of(text.substr(begin), 1)));
  }
  if (const std::string* name = index.text()) {
    const Mapping* mapping = object.mapping();
    const Value* value = mapping ? mapping->find(*name) : nullptr;
    return value ? *value : attribute(object, *name);
  }
  return undefined(fmt::format("{} has no such item", kind_of(object)));
}

Value slice(const Value& object, const Value* first, const Value* last, const Value* step, Runtime& runtime) {
  if (const Undefined* missing = object.get_if<Undefined>()) refuse(*missing->why);
  const Sequence* sequence = object.sequence();
  const std::string* text = object.text();
  if (!sequence && !text) refuse(fmt::format("{} cannot be sliced", kind_of(object)));
  if (sequence) {
    std::vector<Value> items;
    walk(bounds_of(first, last, step, length_of(object)),
         [&](std::size_t at) { items.push_back(sequence->items[at]); });
    return runtime.list(std::move(items), sequence->is_tuple);
  }
  runtime.spend(text->size());
  std::vector<std::string_view> letters;
  for (std::size_t at = 0; at < text->size();) {
    const auto bytes = static_cast<std::size_t>(unicode::decode(*text, at).bytes);
    letters.push_back(std::string_view(*text).substr(at, bytes));
    at += bytes;
  }
  std::string result;
  walk(bounds_of(first, last, step, static_cast<std::int64_t>(letters.size())),
       [&](std::size_t at) { result += letters[at]; });
  return runtime.text(std::move(result));
}

}  // namespace trireme::io::jinja
