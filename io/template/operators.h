#pragma once
#include <string_view>
#include <vector>

#include "io/template/runtime.h"

namespace trireme::io::jinja {

/// + - * / // % ** with Python's meaning: of numbers, texts and lists.
Value arithmetic(std::string_view sign, const Value& left, const Value& right, Runtime& runtime);
bool equal(const Value& left, const Value& right, Runtime& runtime);
/// Refuses what has no order.
bool less(const Value& left, const Value& right, Runtime& runtime);
/// == != < <= > >= in, not in
bool compare(std::string_view sign, const Value& left, const Value& right, Runtime& runtime);
bool contains(const Value& whole, const Value& part, Runtime& runtime);

/// What a for would give: items, keys of a dictionary, letters of a text.
std::vector<Value> items_of(const Value& value, Runtime& runtime);
std::int64_t length_of(const Value& value);

/// object[index]; undefined where it is not there.
Value subscript(const Value& object, const Value& index, Runtime& runtime);
/// object.name
Value attribute(const Value& object, std::string_view name);
/// object[first:last:step]; null where left out.
Value slice(const Value& object, const Value* first, const Value* last, const Value* step, Runtime& runtime);

}  // namespace trireme::io::jinja
