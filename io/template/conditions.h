#pragma once
#include <string_view>

#include "io/template/runtime.h"
#include "io/template/syntax.h"

namespace trireme::io::jinja {

struct ConditionCall {
  Runtime& runtime;
  const Value& value;
  const Arguments& arguments;
};

/// What follows `is`; null where there is no such test.
Condition condition_named(std::string_view name);

}  // namespace trireme::io::jinja
