#include "io/template/operators.h"

#include <cmath>

#include <fmt/format.h>

namespace trireme::io::jinja {
namespace {

[[noreturn]] void refuse_operation(std::string_view sign, const Value& left, const Value& right) {
  if (const Undefined* value = left.get_if<Undefined>()) refuse(*value->why);
  if (const Undefined* value = right.get_if<Undefined>()) refuse(*value->why);
  refuse(fmt::format("{} {} {} has no meaning", kind_of(left), sign, kind_of(right)));
}

[[noreturn]] void refuse_overflow() {
  refuse("a number is too large");
}

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
  if (b == 0) refuse("a division by zero");
  if (b == -1) {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) refuse_overflow();
    return result;
  }
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Value power_of(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  std::int64_t result = 1;
  for (std::int64_t i = 0; i < exponent && result != 0 && !(base == 1); ++i) {
    if (base == -1 && i > 1) return exponent % 2 == 0 ? std::int64_t{1} : std::int64_t{-1};
    if (__builtin_mul_overflow(result, base, &result)) refuse_overflow();
  }
  return result;
}

Value of_integers(std::string_view sign, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if (sign == "+") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (sign == "-") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (sign == "*") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (sign == "//") {
    return floor_divided(a, b);
  } else if (sign == "%") {
    if (b == 0) refuse("a division by zero");
    if (b == -1) return std::int64_t{0};
    const std::int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  } else if (sign == "**") {
    return power_of(a, b);
  } else {
    if (b == 0) refuse("a division by zero");
    return static_cast<double>(a) / static_cast<double>(b);
  }
  if (overflow) refuse_overflow();
  return result;
}

Value of_reals(std::string_view sign, double a, double b) {
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "**") return std::pow(a, b);
  if (b == 0) refuse("a division by zero");
  if (sign == "//") return std::floor(a / b);
  if (sign == "/") return a / b;
  const double rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Value repeated(const Value& value, std::int64_t times, Runtime& runtime) {
  if (const std::string* text = value.text()) {
    if (times <= 0 || text->empty()) return Value("");
    runtime.spend(static_cast<std::uint64_t>(times));
    std::string result;
    for (std::int64_t i = 0; i < times; ++i) runtime.spend(text->size()), result += *text;
    return Value(std::move(result));
  }
  std::vector<Value> items;
  const Sequence& sequence = *value.sequence();
  for (std::int64_t i = 0; i < times; ++i) {
    runtime.spend(1 + sequence.items.size() * Runtime::item);
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return make_sequence(std::move(items), sequence.is_tuple);
}

bool all_equal(const Sequence& left, const Sequence& right, Runtime& runtime) {
  if (left.is_tuple != right.is_tuple || left.items.size() != right.items.size()) return false;
  for (std::size_t i = 0; i < left.items.size(); ++i)
    if (!equal(left.items[i], right.items[i], runtime)) return false;
  return true;
}

bool all_equal(const Mapping& left, const Mapping& right, Runtime& runtime) {
  if (left.items.size() != right.items.size()) return false;
  for (const auto& [key, value] : left.items) {
    runtime.spend(right.items.size());
    const Value* other = right.find(key);
    if (!other || !equal(value, *other, runtime)) return false;
  }
  return true;
}

}  // namespace

Value arithmetic(std::string_view sign, const Value& left, const Value& right, Runtime& runtime) {
  std::int64_t a = 0, b = 0;
  if (as_integer(left, a) && as_integer(right, b)) return of_integers(sign, a, b);
  double x = 0, y = 0;
  if (as_number(left, x) && as_number(right, y)) return of_reals(sign, x, y);
  if (sign == "+") {
    const std::string *first = left.text(), *second = right.text();
    if (first && second) return runtime.text(*first + *second);
    const Sequence *begin = left.sequence(), *end = right.sequence();
    if (begin && end && begin->is_tuple == end->is_tuple) {
      std::vector<Value> items = begin->items;
      items.insert(items.end(), end->items.begin(), end->items.end());
      return runtime.list(std::move(items), begin->is_tuple);
    }
  }
  if (sign == "*") {
    if ((left.text() || left.sequence()) && as_integer(right, b)) return repeated(left, b, runtime);
    if ((right.text() || right.sequence()) && as_integer(left, a)) return repeated(right, a, runtime);
  }
  if (sign == "%" && left.text()) refuse("formatting with % is not supported; join with ~");
  refuse_operation(sign, left, right);
}

bool equal(const Value& left, const Value& right, Runtime& runtime) {
  runtime.spend(Runtime::step);
  std::int64_t a = 0, b = 0;
  if (as_integer(left, a) && as_integer(right, b)) return a == b;
  double x = 0, y = 0;
  if (as_number(left, x) && as_number(right, y)) return x == y;
  if (left.data().index() != right.data().index()) return false;
  if (const std::string* text = left.text()) {
    runtime.spend(text->size());
    return *text == *right.text();
  }
  if (left.sequence()) return all_equal(*left.sequence(), *right.sequence(), runtime);
  if (left.mapping()) return all_equal(*left.mapping(), *right.mapping(), runtime);
  if (left.get_if<Space*>()) return *left.get_if<Space*>() == *right.get_if<Space*>();
  return left.is_none() || left.is_undefined();
}

bool less(const Value& left, const Value& right, Runtime& runtime) {
  runtime.spend(Runtime::step);
  double x = 0, y = 0;
  std::int64_t a = 0, b = 0;
  if (as_integer(left, a) && as_integer(right, b)) return a < b;
  if (as_number(left, x) && as_number(right, y)) return x < y;
  if (left.text() && right.text()) {
    runtime.spend(left.text()->size());
    return *left.text() < *right.text();
  }
  const Sequence *first = left.sequence(), *second = right.sequence();
  if (!first || !second) refuse_operation("<", left, right);
  for (std::size_t i = 0; i < first->items.size() && i < second->items.size(); ++i)
    if (!equal(first->items[i], second->items[i], runtime))
      return less(first->items[i], second->items[i], runtime);
  return first->items.size() < second->items.size();
}

bool contains(const Value& whole, const Value& part, Runtime& runtime) {
  if (whole.is_undefined()) return false;
  if (const std::string* text = whole.text()) {
    if (!part.text()) refuse_operation("in", part, whole);
    runtime.spend(text->size());
    return text->find(*part.text()) != std::string::npos;
  }
  if (const Mapping* mapping = whole.mapping()) {
    runtime.spend(mapping->items.size());
    return part.text() && mapping->find(*part.text());
  }
  if (!whole.sequence()) refuse_operation("in", part, whole);
  for (const Value& item : whole.sequence()->items)
    if (equal(item, part, runtime)) return true;
  return false;
}

bool compare(std::string_view sign, const Value& left, const Value& right, Runtime& runtime) {
  if (sign == "==") return equal(left, right, runtime);
  if (sign == "!=") return !equal(left, right, runtime);
  if (sign == "in") return contains(right, left, runtime);
  if (sign == "not in") return !contains(right, left, runtime);
  if (sign == "<") return less(left, right, runtime);
  if (sign == ">") return less(right, left, runtime);
  if (sign == "<=") return less(left, right, runtime) || equal(left, right, runtime);
  return less(right, left, runtime) || equal(left, right, runtime);
}

}  // namespace trireme::io::jinja
