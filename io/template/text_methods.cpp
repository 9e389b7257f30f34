#include "io/template/text_methods.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "io/template/letters.h"
#include "io/template/operators.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io::jinja {
namespace {

const std::string& text_argument(const Arguments& arguments, std::size_t place, std::string_view name,
                                 std::string_view who) {
  const Value& value = arguments.at(place, name, who);
  if (!value.text()) refuse(fmt::format("{} takes a text as {}, not {}", who, name, kind_of(value)));
  return *value.text();
}

std::int64_t count_argument(const Arguments& arguments, std::size_t place, std::string_view name) {
  const Value* value = arguments.find(place, name);
  std::int64_t count = -1;
  if (value && !value->is_none() && !as_integer(*value, count))
    refuse(fmt::format("{} must be a whole number, not {}", name, kind_of(*value)));
  return count;
}

enum class Side { left, right, both };

template <Side side>
Value stripped(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(1, "strip");
  std::string_view text = *object.text();
  const Value* letters = arguments.find(0, "chars");
  if (!letters || letters->is_none()) {
    if (side != Side::right) text = strip_left(text);
    if (side != Side::left) text = strip_right(text);
  } else {
    const std::string& given = text_argument(arguments, 0, "chars", "strip");
    runtime.spend(text.size() + given.size());
    if (side != Side::right) text = strip_left(text, given);
    if (side != Side::left) text = strip_right(text, given);
  }
  return runtime.text(std::string(text));
}

template <std::string (*change)(std::string_view)>
Value changed(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(0, "the method");
  return runtime.text(change(*object.text()));
}

template <bool at_end>
Value has_affix(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(1, at_end ? "endswith" : "startswith");
  const Value& affix = arguments.at(0, "affix", at_end ? "endswith" : "startswith");
  const std::string_view text = *object.text();
  const auto has = [&](const Value& value) {
    if (!value.text()) refuse(fmt::format("startswith and endswith take a text, not {}", kind_of(value)));
    return at_end ? text.ends_with(*value.text()) : text.starts_with(*value.text());
  };
  const Sequence* several = affix.sequence();
  if (!several || !several->is_tuple) return has(affix);
  runtime.spend(several->items.size() * Runtime::step);
  return std::any_of(several->items.begin(), several->items.end(), has);
}

template <bool at_end>
Value without_affix(Runtime& runtime, const Value& object, const Arguments& arguments) {
  std::string_view text = *object.text();
  const std::string& affix = text_argument(arguments, 0, "affix", at_end ? "removesuffix" : "removeprefix");
  if (at_end && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!at_end && text.starts_with(affix)) text.remove_prefix(affix.size());
  return runtime.text(std::string(text));
}

Value list_of(Runtime& runtime, const std::vector<std::string_view>& parts) {
  std::vector<Value> items;
  for (const std::string_view part : parts) items.push_back(runtime.text(std::string(part)));
  return runtime.list(std::move(items));
}

std::vector<std::string_view> split_at_blanks(std::string_view text, std::int64_t most) {
  std::vector<std::string_view> parts;
  for (text = strip_left(text); !text.empty(); text = strip_left(text)) {
    if (most >= 0 && static_cast<std::int64_t>(parts.size()) == most) {
      parts.push_back(text);
      break;
    }
    std::size_t end = 0;
    while (end < text.size()) {
      const auto [point, bytes] = unicode::decode(text, end);
      if (is_blank(point)) break;
      end += static_cast<std::size_t>(bytes);
    }
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return parts;
}

Value split(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(2, "split");
  std::string_view text = *object.text();
  const std::int64_t most = count_argument(arguments, 1, "maxsplit");
  const Value* given = arguments.find(0, "sep");
  if (!given || given->is_none()) return list_of(runtime, split_at_blanks(text, most));
  const std::string& between = text_argument(arguments, 0, "sep", "split");
  if (between.empty()) refuse("split needs a separator that is not empty");
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; (most < 0 || static_cast<std::int64_t>(parts.size()) < most) &&
                           (at = text.find(between)) != std::string_view::npos;) {
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + between.size());
  }
  parts.push_back(text);
  return list_of(runtime, parts);
}

Value split_from_right(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(2, "rsplit");
  std::string_view text = *object.text();
  const std::int64_t most = count_argument(arguments, 1, "maxsplit");
  const Value* given = arguments.find(0, "sep");
  if ((!given || given->is_none()) && most < 0) return list_of(runtime, split_at_blanks(text, most));
  const std::string& between = text_argument(arguments, 0, "sep", "rsplit");
  if (between.empty()) refuse("rsplit needs a separator that is not empty");
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; (most < 0 || static_cast<std::int64_t>(parts.size()) < most) &&
                           (at = text.rfind(between)) != std::string_view::npos;) {
    parts.push_back(text.substr(at + between.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return list_of(runtime, parts);
}

Value splitlines(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(0, "splitlines");
  return list_of(runtime, lines_of(*object.text()));
}

Value replace(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(3, "replace");
  return Value(replaced(*object.text(), text_argument(arguments, 0, "old", "replace"),
                        text_argument(arguments, 1, "new", "replace"), count_argument(arguments, 2, "count"),
                        runtime));
}

template <bool from_right, bool must_be_there>
Value find(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(1, "find");
  const std::string& text = *object.text();
  const std::string& part = text_argument(arguments, 0, "sub", "find");
  runtime.spend(text.size());
  const std::size_t at = from_right ? text.rfind(part) : text.find(part);
  if (at != std::string::npos)
    return static_cast<std::int64_t>(length_of(std::string_view(text).substr(0, at)));
  if (must_be_there) refuse("index: the text does not hold that part");
  return std::int64_t{-1};
}

Value count(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(1, "count");
  const std::string& text = *object.text();
  const std::string& part = text_argument(arguments, 0, "sub", "count");
  runtime.spend(text.size());
  if (part.empty()) return static_cast<std::int64_t>(length_of(std::string_view(text))) + 1;
  std::int64_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++found;
  return found;
}

Value join(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(1, "join");
  std::string result;
  bool first = true;
  for (const Value& item : items_of(arguments.at(0, "items", "join"), runtime)) {
    if (!item.text()) refuse(fmt::format("join takes texts, not {}", kind_of(item)));
    if (!std::exchange(first, false)) result += *object.text();
    result += *item.text();
    runtime.spend(item.text()->size() + object.text()->size());
  }
  return Value(std::move(result));
}

bool is_letter(char32_t point) {
  return (unicode::class_of(point) & unicode::letter) != 0;
}
bool is_number(char32_t point) {
  return (unicode::class_of(point) & unicode::number) != 0;
}
bool is_word(char32_t point) {
  return is_letter(point) || is_number(point);
}

template <bool (*holds)(char32_t)>
Value all(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(0, "the method");
  const std::string& text = *object.text();
  runtime.spend(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto [point, bytes] = unicode::decode(text, at);
    if (!holds(point)) return false;
    at += static_cast<std::size_t>(bytes);
  }
  return !text.empty();
}

template <std::string (*change)(std::string_view), std::string (*other)(std::string_view)>
Value has_only(Runtime& runtime, const Value& object, const Arguments& arguments) {
  arguments.expect_at_most(0, "the method");
  const std::string& text = *object.text();
  runtime.spend(text.size() * 2);
  return change(text) == text && other(text) != text;
}

struct Entry {
  std::string_view name;
  Method method;
};

constexpr std::array methods{Entry{"strip", stripped<Side::both>},
                             Entry{"lstrip", stripped<Side::left>},
                             Entry{"rstrip", stripped<Side::right>},
                             Entry{"upper", changed<to_upper>},
                             Entry{"lower", changed<to_lower>},
                             Entry{"capitalize", changed<capitalised>},
                             Entry{"title", changed<titled>},
                             Entry{"startswith", has_affix<false>},
                             Entry{"endswith", has_affix<true>},
                             Entry{"removeprefix", without_affix<false>},
                             Entry{"removesuffix", without_affix<true>},
                             Entry{"split", split},
                             Entry{"rsplit", split_from_right},
                             Entry{"splitlines", splitlines},
                             Entry{"replace", replace},
                             Entry{"find", find<false, false>},
                             Entry{"rfind", find<true, false>},
                             Entry{"index", find<false, true>},
                             Entry{"rindex", find<true, true>},
                             Entry{"count", count},
                             Entry{"join", join},
                             Entry{"isalpha", all<is_letter>},
                             Entry{"isdigit", all<is_number>},
                             Entry{"isnumeric", all<is_number>},
                             Entry{"isalnum", all<is_word>},
                             Entry{"isspace", all<is_blank>},
                             Entry{"isupper", has_only<to_upper, to_lower>},
                             Entry{"islower", has_only<to_lower, to_upper>}};

}  // namespace

Method text_method_named(std::string_view name) {
  const auto* const found =
      std::find_if(methods.begin(), methods.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == methods.end() ? nullptr : found->method;
}

std::string replaced(std::string_view text, std::string_view old, std::string_view by, std::int64_t most,
                     Runtime& runtime) {
  runtime.spend(text.size());
  std::string result;
  std::int64_t done = 0;
  if (old.empty()) {
    // Before each letter and at the end.
    for (std::size_t at = 0; at <= text.size();) {
      if (most < 0 || done < most) result += by, runtime.spend(by.size()), ++done;
      if (at == text.size()) break;
      const auto bytes = static_cast<std::size_t>(unicode::decode(text, at).bytes);
      result += text.substr(at, bytes);
      at += bytes;
    }
    return result;
  }
  for (std::size_t at = 0; (most < 0 || done < most) && (at = text.find(old)) != std::string_view::npos;
       ++done) {
    result += text.substr(0, at);
    result += by;
    runtime.spend(by.size());
    text.remove_prefix(at + old.size());
  }
  return result += text;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto [point, bytes] = unicode::decode(text, at);
    std::size_t end = at + static_cast<std::size_t>(bytes);
    const bool ends = (point >= 10 && point <= 13) || (point >= 0x1c && point <= 0x1e) || point == 0x85 ||
                      point == 0x2028 || point == 0x2029;
    if (ends) {
      if (point == '\r' && end < text.size() && text[end] == '\n') ++end;
      lines.push_back(text.substr(begin, at - begin));
      begin = end;
    }
    at = end;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

}  // namespace trireme::io::jinja
