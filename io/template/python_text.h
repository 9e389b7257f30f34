#pragma once
#include <string>

#include "io/template/runtime.h"

namespace trireme::io::jinja {

/// Python's str(): what {{ value }} writes. Undefined is empty.
std::string to_text(const Value& value, Runtime& runtime);
/// Python's repr(), as inside a list.
std::string to_repr(const Value& value, Runtime& runtime);

struct JsonStyle {
  bool ascii = false, sorted = false;
  /// −1: all in one line.
  int indent = -1;
  std::string item_separator = ", ", key_separator = ": ";
};
/// Python's json.dumps(); refuses what has no JSON form.
std::string to_json(const Value& value, const JsonStyle& style, Runtime& runtime);

}  // namespace trireme::io::jinja
