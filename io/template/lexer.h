#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/template/value.h"

namespace trireme::io::jinja {

/// A piece of a template's source. Texts between tags come with the blanks removed that the tags beside them
/// ask for.
struct Lexeme {
  enum class Kind { text, open_tag, close_tag, open_output, close_output, name, constant, sign, end };
  Kind kind = Kind::end;
  int line = 1;
  std::string text;  ///< a text, a name, a sign
  Value value;       ///< a constant

  bool is_sign(std::string_view sign) const { return kind == Kind::sign && text == sign; }
  bool is_name(std::string_view name) const { return kind == Kind::name && text == name; }
};

/// Cuts a source as Jinja does with trim_blocks and lstrip_blocks, as transformers sets them.
std::vector<Lexeme> cut(std::string_view source);

/// Thrown by lexer and parser; `line` counts from 1.
struct SyntaxFault {
  int line;
  std::string message;
};

}  // namespace trireme::io::jinja
