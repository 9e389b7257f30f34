#include <algorithm>

#include <fmt/format.h>

#include "io/template/conditions.h"
#include "io/template/filters.h"
#include "io/template/parser.h"

namespace trireme::io::jinja {

using Kind = Expression::Kind;

Expression ExpressionParser::begin(Kind kind) const {
  Expression node{};
  node.kind = kind, node.line = reader_.line();
  return node;
}

ExpressionPtr ExpressionParser::finish(Expression node) const {
  for (const ExpressionPtr& part : node.parts)
    if (part) node.depth = std::max(node.depth, part->depth + 1);
  for (const auto& [name, part] : node.named)
    if (part) node.depth = std::max(node.depth, part->depth + 1);
  if (node.depth > deepest_expression) reader_.fault("the expression has too many parts");
  return std::make_unique<const Expression>(std::move(node));
}

ExpressionPtr ExpressionParser::two(Kind kind, std::string sign, ExpressionPtr left,
                                    ExpressionPtr right) const {
  Expression node = begin(kind);
  node.text = std::move(sign);
  node.parts.push_back(std::move(left)), node.parts.push_back(std::move(right));
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::tuple_of(ExpressionPtr (ExpressionParser::*part)()) {
  ExpressionPtr first = (this->*part)();
  if (!reader_.peek().is_sign(",")) return first;
  Expression node = begin(Kind::tuple);
  node.parts.push_back(std::move(first));
  while (reader_.take_sign(",")) {
    const Lexeme& next = reader_.peek();
    if (next.kind == Lexeme::Kind::close_tag || next.kind == Lexeme::Kind::close_output || next.is_sign(")"))
      break;
    node.parts.push_back((this->*part)());
  }
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::tuple() {
  return tuple_of(&ExpressionParser::conditional);
}
ExpressionPtr ExpressionParser::iterated() {
  return tuple_of(&ExpressionParser::either);
}

ExpressionPtr ExpressionParser::conditional() {
  const Nesting nesting(reader_, depth_);
  ExpressionPtr value = either();
  while (reader_.take_name("if")) {
    Expression node = begin(Kind::conditional);
    node.parts.push_back(std::move(value));
    node.parts.push_back(either());
    node.parts.push_back(reader_.take_name("else") ? conditional() : nullptr);
    value = finish(std::move(node));
  }
  return value;
}

ExpressionPtr ExpressionParser::either() {
  ExpressionPtr left = both();
  while (reader_.take_name("or")) left = two(Kind::either, "or", std::move(left), both());
  return left;
}

ExpressionPtr ExpressionParser::both() {
  ExpressionPtr left = negation();
  while (reader_.take_name("and")) left = two(Kind::both, "and", std::move(left), negation());
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  if (!reader_.peek().is_name("not")) return comparison();
  const Nesting nesting(reader_, depth_);
  Expression node = begin(Kind::negation);
  reader_.take();
  node.parts.push_back(negation());
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::comparison() {
  ExpressionPtr first = sum();
  Expression node = begin(Kind::comparison);
  while (true) {
    const Lexeme& next = reader_.peek();
    constexpr std::string_view signs[] = {"==", "!=", "<", "<=", ">", ">="};
    std::string sign;
    if (next.kind == Lexeme::Kind::sign &&
        std::find(std::begin(signs), std::end(signs), next.text) != std::end(signs)) {
      sign = next.text;
    } else if (next.is_name("in")) {
      sign = "in";
    } else if (next.is_name("not") && reader_.peek(1).is_name("in")) {
      sign = "not in";
      reader_.take();
    } else {
      break;
    }
    reader_.take();
    node.named.emplace_back(std::move(sign), sum());
  }
  if (node.named.empty()) return first;
  node.parts.push_back(std::move(first));
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr left = joined();
  while (reader_.peek().is_sign("+") || reader_.peek().is_sign("-")) {
    std::string sign = reader_.take().text;
    left = two(Kind::arithmetic, std::move(sign), std::move(left), joined());
  }
  return left;
}

ExpressionPtr ExpressionParser::joined() {
  ExpressionPtr first = product();
  if (!reader_.peek().is_sign("~")) return first;
  Expression node = begin(Kind::joined);
  node.parts.push_back(std::move(first));
  while (reader_.take_sign("~")) node.parts.push_back(product());
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::product() {
  ExpressionPtr left = power();
  while (reader_.peek().is_sign("*") || reader_.peek().is_sign("/") || reader_.peek().is_sign("//") ||
         reader_.peek().is_sign("%")) {
    std::string sign = reader_.take().text;
    left = two(Kind::arithmetic, std::move(sign), std::move(left), power());
  }
  return left;
}

ExpressionPtr ExpressionParser::power() {
  ExpressionPtr left = unary(true);
  while (reader_.take_sign("**")) left = two(Kind::arithmetic, "**", std::move(left), unary(true));
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  const Nesting nesting(reader_, depth_);
  ExpressionPtr value;
  if (reader_.peek().is_sign("-") || reader_.peek().is_sign("+")) {
    Expression node = begin(reader_.take().text == "-" ? Kind::minus : Kind::plus);
    node.parts.push_back(unary(false));
    value = finish(std::move(node));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? postfix_filters(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::primary() {
  Expression node = begin(Kind::constant);
  const Lexeme& next = reader_.peek();
  if (next.kind == Lexeme::Kind::constant) {
    node.constant = reader_.take().value;
    // Texts side by side are one.
    while (node.constant.text() && reader_.peek().kind == Lexeme::Kind::constant &&
           reader_.peek().value.text())
      node.constant = Value(*node.constant.text() + *reader_.take().value.text());
    return finish(std::move(node));
  }
  if (next.kind == Lexeme::Kind::name) {
    const std::string name = reader_.take().text;
    if (name == "true" || name == "True" || name == "false" || name == "False") {
      node.constant = name == "true" || name == "True";
    } else if (name != "none" && name != "None") {
      node.kind = Kind::name, node.text = name;
    }
    return finish(std::move(node));
  }
  if (reader_.take_sign("(")) return in_parentheses();
  if (reader_.take_sign("[")) return list();
  if (reader_.take_sign("{")) return dictionary();
  reader_.fault(fmt::format("an expression is expected, not {}", reader_.here()));
}

ExpressionPtr ExpressionParser::in_parentheses() {
  if (reader_.take_sign(")")) return finish(begin(Kind::tuple));
  ExpressionPtr value = tuple();
  reader_.expect_sign(")");
  return value;
}

ExpressionPtr ExpressionParser::list() {
  Expression node = begin(Kind::list);
  while (!reader_.take_sign("]")) {
    if (!node.parts.empty()) {
      reader_.expect_sign(",");
      if (reader_.take_sign("]")) break;
    }
    node.parts.push_back(conditional());
  }
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::dictionary() {
  Expression node = begin(Kind::dictionary);
  while (!reader_.take_sign("}")) {
    if (!node.parts.empty()) {
      reader_.expect_sign(",");
      if (reader_.take_sign("}")) break;
    }
    node.parts.push_back(conditional());
    reader_.expect_sign(":");
    node.parts.push_back(conditional());
  }
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr value) {
  while (true) {
    if (reader_.take_sign(".")) {
      value = member(std::move(value));
    } else if (reader_.take_sign("[")) {
      value = subscript(std::move(value));
    } else if (reader_.take_sign("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr value) {
  while (reader_.take_sign("|")) value = filter(std::move(value));
  return value;
}

ExpressionPtr ExpressionParser::postfix_filters(ExpressionPtr value) {
  while (true) {
    if (reader_.take_sign("|")) {
      value = filter(std::move(value));
    } else if (reader_.take_name("is")) {
      value = test(std::move(value));
    } else if (reader_.take_sign("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::member(ExpressionPtr object) {
  if (reader_.peek().kind == Lexeme::Kind::name) {
    Expression node = begin(Kind::attribute);
    node.text = reader_.take().text;
    node.parts.push_back(std::move(object));
    return finish(std::move(node));
  }
  if (reader_.peek().kind != Lexeme::Kind::constant || !reader_.peek().value.integer())
    reader_.fault(fmt::format("a name is expected after the dot, not {}", reader_.here()));
  Expression index = begin(Kind::constant);
  index.constant = reader_.take().value;
  return two(Kind::subscript, "", std::move(object), finish(std::move(index)));
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr object) {
  Expression node = begin(Kind::subscript);
  node.parts.push_back(std::move(object));
  const auto ends_part = [&] { return reader_.peek().is_sign(":") || reader_.peek().is_sign("]"); };
  node.parts.push_back(ends_part() ? nullptr : conditional());
  while (reader_.take_sign(":")) {
    node.kind = Kind::slice;
    node.parts.push_back(ends_part() ? nullptr : conditional());
  }
  reader_.expect_sign("]");
  if (node.kind == Kind::slice) node.parts.resize(std::max<std::size_t>(node.parts.size(), 4));
  if (node.parts.size() > 4 || (node.kind == Kind::subscript && !node.parts[1]))
    reader_.fault("an index or a slice is expected between [ and ]");
  return finish(std::move(node));
}

void ExpressionParser::arguments(Expression& into) {
  for (bool first = true; !reader_.take_sign(")"); first = false) {
    if (!first) {
      reader_.expect_sign(",");
      if (reader_.take_sign(")")) return;
    }
    if (reader_.peek().is_sign("*") || reader_.peek().is_sign("**")) {
      std::string sign = reader_.take().text;
      into.named.emplace_back(std::move(sign), conditional());
    } else if (reader_.peek().kind == Lexeme::Kind::name && reader_.peek(1).is_sign("=")) {
      std::string name = reader_.take().text;
      reader_.take();
      into.named.emplace_back(std::move(name), conditional());
    } else {
      if (!into.named.empty()) reader_.fault("an argument without a name follows one with a name");
      into.parts.push_back(conditional());
    }
  }
}

ExpressionPtr ExpressionParser::call(ExpressionPtr callee) {
  Expression node = begin(Kind::call);
  node.parts.push_back(std::move(callee));
  arguments(node);
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr value) {
  Expression node = begin(Kind::filter);
  node.text = reader_.expect_name();
  node.filter = filter_named(node.text);
  if (!node.filter) reader_.fault(fmt::format("the filter {} is not known", node.text));
  node.parts.push_back(std::move(value));
  if (reader_.take_sign("(")) arguments(node);
  return finish(std::move(node));
}

ExpressionPtr ExpressionParser::test(ExpressionPtr value) {
  Expression node = begin(Kind::test);
  const bool negated = reader_.take_name("not");
  node.text = reader_.expect_name();
  node.condition = condition_named(node.text);
  if (!node.condition) reader_.fault(fmt::format("the test {} is not known", node.text));
  node.parts.push_back(std::move(value));
  const Lexeme& next = reader_.peek();
  const bool is_word = next.kind == Lexeme::Kind::name && next.text != "else" && next.text != "or" &&
                       next.text != "and" && next.text != "if" && next.text != "is" && next.text != "not" &&
                       next.text != "in";
  if (reader_.take_sign("(")) {
    arguments(node);
  } else if (is_word || next.kind == Lexeme::Kind::constant || next.is_sign("[") || next.is_sign("{")) {
    node.parts.push_back(postfix(primary()));
  }
  ExpressionPtr result = finish(std::move(node));
  if (!negated) return result;
  Expression negation = begin(Kind::negation);
  negation.parts.push_back(std::move(result));
  return finish(std::move(negation));
}

}  // namespace trireme::io::jinja
