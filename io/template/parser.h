#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "io/template/lexer.h"
#include "io/template/syntax.h"

namespace trireme::io::jinja {

/// Lexemes one after the other, with what both halves of the parser need.
class LexemeReader {
 public:
  explicit LexemeReader(std::vector<Lexeme> lexemes) : lexemes_(std::move(lexemes)) {}

  const Lexeme& peek(std::size_t ahead = 0) const {
    return lexemes_[std::min(at_ + ahead, lexemes_.size() - 1)];
  }
  Lexeme take() {
    Lexeme lexeme = peek();
    if (at_ + 1 < lexemes_.size()) ++at_;
    return lexeme;
  }
  bool take_sign(std::string_view sign) {
    if (!peek().is_sign(sign)) return false;
    take();
    return true;
  }
  bool take_name(std::string_view name) {
    if (!peek().is_name(name)) return false;
    take();
    return true;
  }
  void expect_sign(std::string_view sign);
  void expect(Lexeme::Kind kind, std::string_view what);
  std::string expect_name();
  int line() const { return peek().line; }
  [[noreturn]] void fault(const std::string& message) const { throw SyntaxFault{line(), message}; }
  /// What stands here, for an error.
  std::string here() const;

 private:
  std::vector<Lexeme> lexemes_;
  std::size_t at_ = 0;
};

/// Expressions nested deeper than this are refused.
constexpr int deepest_expression = 100;

/// Counts how deep the parser is in itself.
class Nesting {
 public:
  explicit Nesting(const LexemeReader& reader, int& depth) : depth_(depth) {
    if (depth_ >= deepest_expression) reader.fault("it is nested too deeply");
    ++depth_;
  }
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  int& depth_;
};

class ExpressionParser {
 public:
  explicit ExpressionParser(LexemeReader& reader) : reader_(reader) {}
  ExpressionPtr expression() { return conditional(); }
  /// Several with commas between them are a tuple.
  ExpressionPtr tuple();
  /// What a for walks over: its own `if` is not part of it.
  ExpressionPtr iterated();
  /// `value` through the filters that follow: | trim | upper.
  ExpressionPtr filters(ExpressionPtr value);

 private:
  ExpressionPtr conditional();
  ExpressionPtr either();
  ExpressionPtr both();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr joined();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr primary();
  ExpressionPtr postfix(ExpressionPtr value);
  ExpressionPtr postfix_filters(ExpressionPtr value);
  ExpressionPtr member(ExpressionPtr object);
  ExpressionPtr subscript(ExpressionPtr object);
  ExpressionPtr call(ExpressionPtr callee);
  ExpressionPtr filter(ExpressionPtr value);
  ExpressionPtr test(ExpressionPtr value);
  ExpressionPtr list();
  ExpressionPtr dictionary();
  ExpressionPtr in_parentheses();
  void arguments(Expression& into);
  ExpressionPtr tuple_of(ExpressionPtr (ExpressionParser::*part)());
  Expression begin(Expression::Kind kind) const;
  /// Refuses what has become too deep to be evaluated.
  ExpressionPtr finish(Expression node) const;
  ExpressionPtr two(Expression::Kind kind, std::string sign, ExpressionPtr left, ExpressionPtr right) const;

  LexemeReader& reader_;
  int depth_ = 0;
};

/// The statements of a template. Throws SyntaxFault.
Body parse(std::string_view source);

}  // namespace trireme::io::jinja
