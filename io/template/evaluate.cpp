#include <fmt/format.h>

#include "io/template/conditions.h"
#include "io/template/filters.h"
#include "io/template/methods.h"
#include "io/template/operators.h"
#include "io/template/python_text.h"
#include "io/template/renderer.h"

namespace trireme::io::jinja {

using Kind = Expression::Kind;

Value Renderer::evaluate(const Expression& node) {
  runtime_.spend(Runtime::step);
  const Runtime::Level level(runtime_);
  line_ = node.line;
  const auto part = [&](std::size_t i) { return evaluate(*node.parts[i]); };
  switch (node.kind) {
    case Kind::constant:
      return node.constant;
    case Kind::name:
      return lookup(node.text);
    case Kind::list:
    case Kind::tuple:
      return runtime_.list(evaluate_all(node), node.kind == Kind::tuple);
    case Kind::dictionary:
      return evaluate_dictionary(node);
    case Kind::attribute:
      return attribute(part(0), node.text);
    case Kind::subscript: {
      const Value object = part(0);
      return subscript(object, part(1), runtime_);
    }
    case Kind::slice:
      return evaluate_slice(node);
    case Kind::call:
      return evaluate_call(node);
    case Kind::filter: {
      const Value value = part(0);
      const Arguments arguments = arguments_of(node);
      line_ = node.line;
      return node.filter({runtime_, value, arguments});
    }
    case Kind::test: {
      const Value value = part(0);
      const Arguments arguments = arguments_of(node);
      return node.condition({runtime_, value, arguments});
    }
    case Kind::negation:
      return !is_true(part(0));
    case Kind::minus:
      return arithmetic("-", std::int64_t{0}, part(0), runtime_);
    case Kind::plus:
      return arithmetic("+", std::int64_t{0}, part(0), runtime_);
    case Kind::arithmetic: {
      const Value left = part(0);
      return arithmetic(node.text, left, part(1), runtime_);
    }
    case Kind::both: {
      Value left = part(0);
      return is_true(left) ? part(1) : left;
    }
    case Kind::either: {
      Value left = part(0);
      return is_true(left) ? left : part(1);
    }
    case Kind::comparison:
      return evaluate_comparison(node);
    case Kind::conditional:
      if (is_true(part(1))) return part(0);
      return node.parts[2] ? part(2) : undefined("the condition does not hold and there is no else");
    case Kind::joined:
      return evaluate_joined(node);
  }
  return {};
}

std::vector<Value> Renderer::evaluate_all(const Expression& node) {
  std::vector<Value> values;
  values.reserve(node.parts.size());
  for (const ExpressionPtr& part : node.parts) values.push_back(evaluate(*part));
  return values;
}

Value Renderer::evaluate_dictionary(const Expression& node) {
  std::vector<std::pair<std::string, Value>> items;
  for (std::size_t i = 0; i < node.parts.size(); i += 2) {
    const Value key = evaluate(*node.parts[i]);
    if (!key.text()) refuse(fmt::format("the keys of a dictionary are texts, not {}", kind_of(key)));
    runtime_.spend(Runtime::item + key.text()->size());
    items.emplace_back(*key.text(), evaluate(*node.parts[i + 1]));
  }
  return make_mapping(std::move(items));
}

Value Renderer::evaluate_slice(const Expression& node) {
  const Value object = evaluate(*node.parts[0]);
  Value bounds[3];
  const Value* given[3]{};
  for (std::size_t i = 0; i < 3; ++i)
    if (node.parts[i + 1]) bounds[i] = evaluate(*node.parts[i + 1]), given[i] = &bounds[i];
  return slice(object, given[0], given[1], given[2], runtime_);
}

bool Renderer::evaluate_comparison(const Expression& node) {
  Value left = evaluate(*node.parts[0]);
  for (const auto& [sign, operand] : node.named) {
    Value right = evaluate(*operand);
    if (!compare(sign, left, right, runtime_)) return false;
    left = std::move(right);
  }
  return true;
}

Value Renderer::evaluate_joined(const Expression& node) {
  std::string text;
  for (const ExpressionPtr& part : node.parts) write(evaluate(*part), text);
  return Value(std::move(text));
}

Arguments Renderer::arguments_of(const Expression& node) {
  Arguments arguments;
  for (std::size_t i = 1; i < node.parts.size(); ++i)
    arguments.positional.push_back(evaluate(*node.parts[i]));
  for (const auto& [name, value] : node.named) {
    Value given = evaluate(*value);
    if (name == "*") {
      for (Value& item : items_of(given, runtime_)) arguments.positional.push_back(std::move(item));
    } else if (name == "**") {
      if (!given.mapping()) refuse(fmt::format("** takes a dictionary, not {}", kind_of(given)));
      for (const auto& [key, item] : given.mapping()->items) arguments.named.emplace_back(key, item);
      arguments.dictionaries.push_back(std::move(given));
    } else {
      arguments.named.emplace_back(name, std::move(given));
    }
  }
  return arguments;
}

Value Renderer::evaluate_call(const Expression& node) {
  const Expression& callee = *node.parts[0];
  if (callee.kind == Kind::attribute) {
    const Value object = evaluate(*callee.parts[0]);
    const Method method = method_named(object, callee.text);
    if (method) {
      const Arguments arguments = arguments_of(node);
      line_ = node.line;
      return method(runtime_, object, arguments);
    }
    if (object.text() || object.sequence())
      refuse(fmt::format("{} has no method {}", kind_of(object), callee.text));
  }
  const Value called = evaluate(callee);
  if (const Undefined* missing = called.get_if<Undefined>()) refuse(*missing->why);
  const auto* callable = called.get_if<std::shared_ptr<const Callable>>();
  if (!callable) refuse(fmt::format("{} cannot be called", kind_of(called)));
  const Arguments arguments = arguments_of(node);
  line_ = node.line;
  return (*callable)->call(runtime_, arguments);
}

}  // namespace trireme::io::jinja
