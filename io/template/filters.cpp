#include "io/template/filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "io/template/letters.h"
#include "io/template/operators.h"
#include "io/template/python_text.h"
#include "io/template/text_methods.h"

namespace trireme::io::jinja {
namespace {

std::string text_of(const FilterCall& call) {
  return to_text(call.value, call.runtime);
}

template <std::string (*change)(std::string_view)>
Value changed(const FilterCall& call) {
  return call.runtime.text(change(text_of(call)));
}

Value trim(const FilterCall& call) {
  const std::string text = text_of(call);
  const Value* letters = call.arguments.find(0, "chars");
  if (!letters || letters->is_none()) return call.runtime.text(std::string(strip(text)));
  const std::string given = to_text(*letters, call.runtime);
  return call.runtime.text(std::string(strip_left(strip_right(text, given), given)));
}

/// Jinja's own idea of where words begin.
Value title(const FilterCall& call) {
  const std::string text = text_of(call);
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of("- \t\n\r\f\v({[<", at), text.size());
    result += capitalised(std::string_view(text).substr(at, end - at));
    if (end < text.size()) result += text[end];
    at = end + 1;
  }
  return call.runtime.text(std::move(result));
}

Value length(const FilterCall& call) {
  return length_of(call.value);
}

Value text(const FilterCall& call) {
  return call.runtime.text(text_of(call));
}

Value unchanged(const FilterCall& call) {
  return call.value;
}

Value otherwise(const FilterCall& call) {
  const Value* fallback = call.arguments.find(0, "default_value");
  const Value* falsy = call.arguments.find(1, "boolean");
  if (!call.value.is_undefined() && (!falsy || !is_true(*falsy) || is_true(call.value))) return call.value;
  return fallback ? *fallback : Value("");
}

Value to_json_filter(const FilterCall& call) {
  JsonStyle style;
  const Value* ascii = call.arguments.find(0, "ensure_ascii");
  const Value* indent = call.arguments.find(1, "indent");
  const Value* separators = call.arguments.find(2, "separators");
  const Value* sorted = call.arguments.find(3, "sort_keys");
  style.ascii = ascii && is_true(*ascii);
  style.sorted = sorted && is_true(*sorted);
  if (indent && !indent->is_none()) {
    std::int64_t width = 0;
    if (!as_integer(*indent, width) || width < 0 || width > 64)
      refuse("tojson: indent must be between 0 and 64");
    style.indent = static_cast<int>(width), style.item_separator.assign(1, ',');
  }
  if (separators && !separators->is_none()) {
    const Sequence* both = separators->sequence();
    if (!both || both->items.size() != 2) refuse("tojson: separators must be two texts");
    style.item_separator = to_text(both->items[0], call.runtime);
    style.key_separator = to_text(both->items[1], call.runtime);
  }
  return Value(to_json(call.value, style, call.runtime));
}

Value replace(const FilterCall& call) {
  const Value* most = call.arguments.find(2, "count");
  std::int64_t count = -1;
  if (most && !most->is_none()) as_integer(*most, count);
  return Value(replaced(text_of(call), to_text(call.arguments.at(0, "old", "replace"), call.runtime),
                        to_text(call.arguments.at(1, "new", "replace"), call.runtime), count, call.runtime));
}

Value indent(const FilterCall& call) {
  const std::string whole = text_of(call);
  std::string margin = "    ";
  if (const Value* width = call.arguments.find(0, "width")) {
    std::int64_t count = 0;
    if (width->text()) {
      margin = *width->text();
    } else if (as_integer(*width, count) && count >= 0 && count <= 1000) {
      margin.assign(static_cast<std::size_t>(count), ' ');
    } else {
      refuse("indent: the width must be a text or between 0 and 1000");
    }
  }
  const Value *first = call.arguments.find(1, "first"), *blank = call.arguments.find(2, "blank");
  std::vector<std::string_view> lines = lines_of(whole);
  if (whole.empty() || whole.back() == '\n') lines.emplace_back();
  std::string result;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) result += '\n';
    const bool wanted = i == 0 ? first && is_true(*first) : !lines[i].empty() || (blank && is_true(*blank));
    if (wanted) result += margin, call.runtime.spend(margin.size());
    result += lines[i];
  }
  return call.runtime.text(std::move(result));
}

Value whole_number(const FilterCall& call) {
  const Value* fallback = call.arguments.find(0, "default");
  Value failed = fallback ? *fallback : Value(std::int64_t{0});
  std::int64_t number = 0;
  if (as_integer(call.value, number)) return number;
  double real = 0;
  if (const std::string* given = call.value.text()) {
    const std::string_view digits = strip(*given);
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (status == std::errc() && end == digits.data() + digits.size()) return number;
    const auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), real);
    if (problem != std::errc() || stop != digits.data() + digits.size()) return failed;
  } else if (!as_number(call.value, real)) {
    return failed;
  }
  if (!std::isfinite(real) || std::abs(real) > 9e18) return failed;
  return static_cast<std::int64_t>(real);
}

Value real_number(const FilterCall& call) {
  const Value* fallback = call.arguments.find(0, "default");
  double number = 0;
  if (as_number(call.value, number)) return number;
  if (const std::string* given = call.value.text()) {
    const std::string_view digits = strip(*given);
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (status == std::errc() && end == digits.data() + digits.size()) return number;
  }
  return fallback ? *fallback : Value(0.0);
}

Value magnitude(const FilterCall& call) {
  std::int64_t whole = 0;
  double real = 0;
  if (as_integer(call.value, whole))
    return whole < 0 ? arithmetic("-", std::int64_t{0}, whole, call.runtime) : Value(whole);
  if (!as_number(call.value, real)) refuse(fmt::format("{} has no absolute value", kind_of(call.value)));
  return std::abs(real);
}

Value rounded(const FilterCall& call) {
  double number = 0;
  std::int64_t places = 0;
  if (!as_number(call.value, number)) refuse(fmt::format("{} cannot be rounded", kind_of(call.value)));
  if (const Value* given = call.arguments.find(0, "precision")) as_integer(*given, places);
  const Value* method = call.arguments.find(1, "method");
  const std::string how = method && method->text() ? *method->text() : "common";
  if (places < 0 || places > 15) refuse("round: the precision must be between 0 and 15");
  const double scale = std::pow(10.0, static_cast<double>(places));
  if (how == "ceil") return std::ceil(number * scale) / scale;
  if (how == "floor") return std::floor(number * scale) / scale;
  // printf rounds the exact value, ties to even, as Python does.
  return std::stod(fmt::format("{:.{}f}", number, places));
}

struct Entry {
  std::string_view name;
  Filter filter;
};

constexpr std::array filters{Entry{"trim", trim},
                             Entry{"upper", changed<to_upper>},
                             Entry{"lower", changed<to_lower>},
                             Entry{"capitalize", changed<capitalised>},
                             Entry{"title", title},
                             Entry{"length", length},
                             Entry{"count", length},
                             Entry{"string", text},
                             Entry{"safe", unchanged},
                             Entry{"default", otherwise},
                             Entry{"d", otherwise},
                             Entry{"tojson", to_json_filter},
                             Entry{"replace", replace},
                             Entry{"indent", indent},
                             Entry{"int", whole_number},
                             Entry{"float", real_number},
                             Entry{"abs", magnitude},
                             Entry{"round", rounded}};

}  // namespace

Filter filter_named(std::string_view name) {
  const auto* const found =
      std::find_if(filters.begin(), filters.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == filters.end() ? list_filter_named(name) : found->filter;
}

}  // namespace trireme::io::jinja
