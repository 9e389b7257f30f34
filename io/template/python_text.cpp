#include "io/template/python_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "io/template/letters.h"
#include "io/tokenizer/unicode.h"

namespace trireme::io::jinja {
namespace {

/// The shortest digits that give the number back, in Python's choice of notation.
std::string number_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char digits[64] = {};  // atoi stops at a zero
  const auto end =
      std::to_chars(digits, digits + sizeof(digits) - 1, number, std::chars_format::scientific).ptr;
  const std::string_view scientific(digits, static_cast<std::size_t>(end - digits));
  const int exponent = std::atoi(digits + scientific.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);
  std::string text(512, '\0');
  text.resize(static_cast<std::size_t>(
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed).ptr -
      text.data()));
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

bool is_printable(char32_t point) {
  if (point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0xad) return false;
  if (point > 0x7f && is_blank(point)) return false;
  return !((point >= 0x200b && point <= 0x200f) || (point >= 0x202a && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || (point >= 0xd800 && point <= 0xf8ff) || point == 0xfeff ||
           (point >= 0xfff0 && point <= 0xfffb) || point == 0xfffe || point == 0xffff || point >= 0xe0000);
}

std::string in_quotes(std::string_view text) {
  const bool single = text.find('\'') == std::string_view::npos || text.find('"') != std::string_view::npos;
  const char quote = single ? '\'' : '"';
  std::string result(1, quote);
  for (std::size_t at = 0; at < text.size();) {
    const auto [point, bytes] = unicode::decode(text, at);
    if (point == '\\' || point == static_cast<char32_t>(quote)) {
      result += '\\', result += static_cast<char>(point);
    } else if (point == '\n') {
      result += "\\n";
    } else if (point == '\r') {
      result += "\\r";
    } else if (point == '\t') {
      result += "\\t";
    } else if (is_printable(point)) {
      result += text.substr(at, static_cast<std::size_t>(bytes));
    } else {
      const auto number = static_cast<std::uint32_t>(point);
      result += number < 0x100     ? fmt::format("\\x{:02x}", number)
                : number < 0x10000 ? fmt::format("\\u{:04x}", number)
                                   : fmt::format("\\U{:08x}", number);
    }
    at += static_cast<std::size_t>(bytes);
  }
  return result += quote;
}

/// One list may stand in another many times over, so what is written is counted as it grows.
std::string counted_repr(const Value& value, Runtime& runtime) {
  std::string text = to_repr(value, runtime);
  runtime.spend(Runtime::step + text.size());
  return text;
}

std::string sequence_text(const Sequence& sequence, Runtime& runtime) {
  std::string text(1, sequence.is_tuple ? '(' : '[');
  for (std::size_t i = 0; i < sequence.items.size(); ++i) {
    if (i > 0) text += ", ";
    text += counted_repr(sequence.items[i], runtime);
  }
  if (sequence.is_tuple && sequence.items.size() == 1) text += ',';
  return text += sequence.is_tuple ? ')' : ']';
}

std::string mapping_text(const Mapping& mapping, Runtime& runtime) {
  std::string text = "{";
  for (const auto& [key, value] : mapping.items) {
    if (text.size() > 1) text += ", ";
    text += in_quotes(key);
    text += ": ";
    text += counted_repr(value, runtime);
  }
  return text += '}';
}

void append_json_text(std::string& out, std::string_view text, bool ascii) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto [point, bytes] = unicode::decode(text, at);
    const auto number = static_cast<std::uint32_t>(point);
    constexpr std::string_view plain = "\"\\\n\r\t\b\f", named = "\"\\nrtbf";
    const std::size_t known = number < 0x80 ? plain.find(static_cast<char>(number)) : std::string_view::npos;
    if (known != std::string_view::npos) {
      out += '\\', out += named[known];
    } else if (number < 0x20 || (ascii && number > 0x7e && number < 0x10000)) {
      out += number == 0x7f ? "\x7f" : fmt::format("\\u{:04x}", number);
    } else if (ascii && number >= 0x10000) {
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((number - 0x10000) >> 10),
                         0xdc00 + ((number - 0x10000) & 0x3ff));
    } else {
      out += text.substr(at, static_cast<std::size_t>(bytes));
    }
    at += static_cast<std::size_t>(bytes);
  }
  out += '"';
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Runtime& runtime) : style_(style), runtime_(runtime) {}
  std::string take() { return std::move(out_); }

  void write(const Value& value) {
    const std::size_t before = out_.size();
    write_plainly(value);
    runtime_.spend(Runtime::step + out_.size() - before);
  }

 private:
  void write_plainly(const Value& value) {
    if (value.is_none()) {
      out_ += "null";
    } else if (const bool* boolean = value.get_if<bool>()) {
      out_ += *boolean ? "true" : "false";
    } else if (const double* real = value.get_if<double>()) {
      out_ += std::isnan(*real)   ? "NaN"
              : std::isinf(*real) ? (*real < 0 ? "-Infinity" : "Infinity")
                                  : number_text(*real);
    } else if (value.integer()) {
      out_ += std::to_string(*value.integer());
    } else if (const std::string* text = value.text()) {
      append_json_text(out_, *text, style_.ascii);
    } else if (const Sequence* sequence = value.sequence()) {
      write_all('[', ']', sequence->items, [&](const Value& item) { write(item); });
    } else if (const Mapping* mapping = value.mapping()) {
      auto items = mapping->items;
      if (style_.sorted)
        std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      write_all('{', '}', items, [&](const auto& item) {
        append_json_text(out_, item.first, style_.ascii);
        out_ += style_.key_separator;
        write(item.second);
      });
    } else {
      refuse(fmt::format("tojson cannot write {}", kind_of(value)));
    }
  }

  template <typename Items, typename Write>
  void write_all(char open, char close, const Items& items, Write write_item) {
    out_ += open;
    if (items.empty()) {
      out_ += close;
      return;
    }
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line();
      write_item(items[i]);
    }
    --depth_;
    new_line();
    out_ += close;
  }
  void new_line() {
    if (style_.indent < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth_) * static_cast<std::size_t>(style_.indent), ' ');
  }

  const JsonStyle& style_;
  Runtime& runtime_;
  std::string out_;
  int depth_ = 0;
};

}  // namespace

std::string to_repr(const Value& value, Runtime& runtime) {
  if (const std::string* text = value.text()) return in_quotes(*text);
  if (value.is_undefined()) return "Undefined";
  return to_text(value, runtime);
}

std::string to_text(const Value& value, Runtime& runtime) {
  if (const std::string* text = value.text()) return *text;
  if (value.is_undefined()) return "";
  if (value.is_none()) return "None";
  if (const bool* boolean = value.get_if<bool>()) return *boolean ? "True" : "False";
  if (value.integer()) return std::to_string(*value.integer());
  if (const double* real = value.get_if<double>()) return number_text(*real);
  if (const Sequence* sequence = value.sequence()) return sequence_text(*sequence, runtime);
  if (const Mapping* mapping = value.mapping()) return mapping_text(*mapping, runtime);
  refuse(fmt::format("{} cannot be written as text", kind_of(value)));
}

std::string to_json(const Value& value, const JsonStyle& style, Runtime& runtime) {
  JsonWriter writer(style, runtime);
  writer.write(value);
  return writer.take();
}

}  // namespace trireme::io::jinja
