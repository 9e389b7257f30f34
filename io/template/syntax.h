#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/template/value.h"

namespace trireme::io::jinja {

struct FilterCall;
struct ConditionCall;
using Filter = Value (*)(const FilterCall&);
using Condition = bool (*)(const ConditionCall&);

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

/// A node of an expression. `parts` are its operands, in the order in which they are written.
struct Expression {
  enum class Kind {
    constant,
    name,        ///< text
    list,        ///< parts
    tuple,       ///< parts
    dictionary,  ///< keys and values in turn
    attribute,   ///< of parts[0], named text
    subscript,   ///< parts[0][parts[1]]
    slice,       ///< parts[0][parts[1]:parts[2]:parts[3]], each of the three may be null
    call,        ///< of parts[0] with the rest and `named`
    filter,      ///< of parts[0] with the rest and `named`
    test,        ///< of parts[0] with the rest and `named`
    negation,    ///< not parts[0]
    minus,
    plus,
    arithmetic,   ///< parts[0] text parts[1]
    both,         ///< and
    either,       ///< or
    comparison,   ///< of parts[0] with each of `named` in turn, by its operator
    conditional,  ///< parts[0] if parts[1] else parts[2], which may be null
    joined        ///< all parts as one text: a ~ b ~ c
  };
  Kind kind;
  int line = 1, depth = 1;
  std::string text;
  Value constant;
  std::vector<ExpressionPtr> parts;
  /// Arguments by name, also "*" and "**"; of a comparison, operators and operands.
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  Filter filter = nullptr;
  Condition condition = nullptr;
};

struct Statement;
using Body = std::vector<Statement>;

/// A name, or a member of a namespace: {% set ns.found = true %}.
struct Target {
  std::string name, member;
};

struct Branch {
  ExpressionPtr condition;  ///< null: else
  Body body;
};

struct Parameter {
  std::string name;
  ExpressionPtr fallback;
};

struct Statement {
  enum class Kind {
    text,
    output,        ///< value
    condition,     ///< branches
    loop,          ///< targets in value if filter: body, else otherwise
    assign,        ///< targets = value
    assign_block,  ///< targets[0] = body, through `value` where that is a chain of filters
    macro,         ///< text, parameters, body
    scope,         ///< with: targets = values, body
    plain,         ///< body alone: {% generation %}
    next,          ///< continue
    stop           ///< break
  };
  Kind kind;
  int line = 1;
  std::string text;
  ExpressionPtr value, filter;
  std::vector<Target> targets;
  std::vector<ExpressionPtr> values;
  std::vector<Branch> branches;
  std::vector<Parameter> parameters;
  Body body, otherwise;
};

}  // namespace trireme::io::jinja
