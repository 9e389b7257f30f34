#include "io/template/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "io/template/letters.h"
#include "io/template/text_literal.h"

namespace trireme::io::jinja {
namespace {

using Kind = Lexeme::Kind;

std::string with_plain_lines(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      result += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      result += source[i];
    }
  }
  if (!result.empty() && result.back() == '\n') result.pop_back();
  return result;
}

bool starts_name(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
}
bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

class Cutter {
 public:
  explicit Cutter(std::string source) : source_(std::move(source)) {}

  std::vector<Lexeme> run() {
    while (at_ < source_.size()) next_part();
    add(Kind::end, "");
    return std::move(lexemes_);
  }

 private:
  [[noreturn]] void fault(const std::string& message) const { throw SyntaxFault{line_, message}; }

  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  void add(Kind kind, std::string text) { lexemes_.push_back({kind, line_, std::move(text), {}}); }
  void advance(std::size_t bytes) {
    const auto begin = source_.begin() + static_cast<std::ptrdiff_t>(at_);
    line_ += static_cast<int>(std::count(begin, begin + static_cast<std::ptrdiff_t>(bytes), '\n'));
    at_ += bytes;
  }
  void skip_blanks() { advance(rest().size() - strip_left(rest()).size()); }

  /// A text up to the next tag, and that tag.
  void next_part() {
    std::size_t open = at_;
    while (true) {
      open = source_.find('{', open);
      if (open == std::string::npos || open + 1 >= source_.size()) {
        open = source_.size();
        break;
      }
      const char second = source_[open + 1];
      if (second == '%' || second == '{' || second == '#') break;
      ++open;
    }
    const std::size_t begin = at_;
    if (open == source_.size()) {
      add_text(std::string_view(source_).substr(begin));
      return advance(source_.size() - begin);
    }
    const char second = source_[open + 1];
    const char sign = open + 2 < source_.size() ? source_[open + 2] : ' ';
    const bool signed_ = sign == '-' || sign == '+';
    add_text(without_end_blanks(std::string_view(source_).substr(begin, open - begin), sign, second != '{'));
    advance(open - begin + (signed_ ? 3 : 2));
    if (second == '#') return comment();
    if (second == '%' && is_raw()) return raw();
    inside(second == '%');
  }

  void add_text(std::string_view text) {
    if (!text.empty()) add(Kind::text, std::string(text));
  }

  /// lstrip_blocks: a tag that is alone on its line so far takes the blanks before it along.
  std::string_view without_end_blanks(std::string_view text, char sign, bool is_block) const {
    if (sign == '-') return strip_right(text);
    if (sign == '+' || !is_block) return text;
    const std::size_t line = text.rfind('\n');
    if (line == std::string_view::npos && !line_starting_) return text;
    const std::string_view last = text.substr(line == std::string_view::npos ? 0 : line + 1);
    return strip(last).empty() ? text.substr(0, text.size() - last.size()) : text;
  }

  /// The end of a tag has been read up to its sign: takes what it takes along.
  void after_tag(char sign, bool trims_line) {
    if (sign == '-') {
      skip_blanks();
    } else if (trims_line && sign != '+' && !rest().empty() && rest().front() == '\n') {
      advance(1);
    }
    line_starting_ = at_ > 0 && source_[at_ - 1] == '\n';
  }

  void comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) fault("a comment {# is not closed");
    const char sign = end > at_ ? source_[end - 1] : ' ';
    advance(end + 2 - at_);
    after_tag(sign, true);
  }

  bool is_raw() const {
    std::string_view text = strip_left(rest());
    if (!text.starts_with("raw")) return false;
    text = strip_left(text.substr(3));
    return text.starts_with("%}") || text.starts_with("-%}");
  }

  void raw() {
    const std::size_t open_end = source_.find("%}", at_);
    const bool strips = source_[open_end - 1] == '-';
    advance(open_end + 2 - at_);
    if (strips) skip_blanks();
    for (std::size_t close = at_; (close = source_.find("{%", close)) != std::string::npos; close += 2) {
      std::size_t name = close + 2;
      const char sign = name < source_.size() ? source_[name] : ' ';
      if (sign == '-' || sign == '+') ++name;
      std::string_view text = strip_left(std::string_view(source_).substr(name));
      if (!text.starts_with("endraw")) continue;
      text = strip_left(text.substr(6));
      const char end_sign = text.empty() ? ' ' : text.front();
      if (end_sign == '-' || end_sign == '+') text.remove_prefix(1);
      if (!text.starts_with("%}")) continue;
      line_starting_ = false;
      add_text(without_end_blanks(std::string_view(source_).substr(at_, close - at_), sign, true));
      advance(source_.size() - text.size() + 2 - at_);
      return after_tag(end_sign, true);
    }
    fault("{% raw %} is not closed");
  }

  void inside(bool is_block) {
    add(is_block ? Kind::open_tag : Kind::open_output, "");
    const std::string_view end = is_block ? "%}" : "}}";
    std::vector<char> open;
    while (true) {
      skip_blanks();
      if (rest().empty()) fault(is_block ? "a tag {% is not closed" : "an output {{ is not closed");
      if (open.empty()) {
        const char sign = rest().front();
        const bool has_sign = sign == '-' || (sign == '+' && is_block);
        if (rest().substr(has_sign ? 1 : 0).starts_with(end)) {
          add(is_block ? Kind::close_tag : Kind::close_output, "");
          advance(has_sign ? 3 : 2);
          return after_tag(has_sign ? sign : ' ', is_block);
        }
      }
      lexeme(open);
    }
  }

  void lexeme(std::vector<char>& open) {
    const char letter = rest().front();
    if (starts_name(letter)) {
      std::size_t end = at_ + 1;
      while (end < source_.size() && (starts_name(source_[end]) || is_digit(source_[end]))) ++end;
      add(Kind::name, source_.substr(at_, end - at_));
      return advance(end - at_);
    }
    if (is_digit(letter)) return number();
    if (letter == '\'' || letter == '"') {
      const std::size_t bytes = literal_length(rest());
      if (bytes == 0) fault("a text is not closed");
      lexemes_.push_back({Kind::constant, line_, {}, Value(literal_text(rest().substr(1, bytes - 2)))});
      return advance(bytes);
    }
    sign(open);
  }

  void number() {
    const std::string_view text = rest();
    std::size_t end = 0;
    const auto digits = [&] {
      while (end < text.size() &&
             (is_digit(text[end]) || (text[end] == '_' && end + 1 < text.size() && is_digit(text[end + 1]))))
        ++end;
    };
    digits();
    bool real = false;
    // What follows a dot of its own is a member, as in message.0.
    const bool after_dot = !lexemes_.empty() && lexemes_.back().is_sign(".");
    if (!after_dot && end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1]))
      ++end, digits(), real = true;
    if (!after_dot && end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
      const std::size_t mark = end;
      ++end;
      if (end < text.size() && (text[end] == '-' || text[end] == '+')) ++end;
      const std::size_t first = end;
      digits();
      if (end == first) {
        end = mark;
      } else {
        real = true;
      }
    }
    std::string plain(text.substr(0, end));
    std::erase(plain, '_');
    Value value;
    std::errc status{};
    if (real) {
      double number = 0;
      status = std::from_chars(plain.data(), plain.data() + plain.size(), number).ec;
      value = number;
    } else {
      std::int64_t number = 0;
      status = std::from_chars(plain.data(), plain.data() + plain.size(), number).ec;
      value = number;
    }
    if (status != std::errc()) fault(fmt::format("the number {} is too large", plain.substr(0, 40)));
    lexemes_.push_back({Kind::constant, line_, {}, std::move(value)});
    advance(end);
  }

  void sign(std::vector<char>& open) {
    constexpr std::array<std::string_view, 26> signs{"//", "**", "==", "!=", ">=", "<=", "+", "-", "*",
                                                     "/",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                     ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    const auto* const found = std::find_if(signs.begin(), signs.end(),
                                           [&](std::string_view sign) { return rest().starts_with(sign); });
    if (found == signs.end())
      fault(fmt::format("'{}' is not understood here", rest().substr(0, byte_of(rest(), 1))));
    const char letter = found->front();
    if (letter == '(' || letter == '[' || letter == '{') {
      open.push_back(letter == '(' ? ')' : static_cast<char>(letter + 2));
    } else if (letter == ')' || letter == ']' || letter == '}') {
      if (open.empty() || open.back() != letter) fault(fmt::format("'{}' closes nothing", letter));
      open.pop_back();
    }
    add(Kind::sign, std::string(*found));
    advance(found->size());
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Lexeme> lexemes_;
};

}  // namespace

std::vector<Lexeme> cut(std::string_view source) {
  return Cutter(with_plain_lines(source)).run();
}

}  // namespace trireme::io::jinja
