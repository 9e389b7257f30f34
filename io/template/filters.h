#pragma once
#include <string_view>

#include "io/template/runtime.h"
#include "io/template/syntax.h"

namespace trireme::io::jinja {

struct FilterCall {
  Runtime& runtime;
  const Value& value;
  const Arguments& arguments;
};

/// Null where there is no filter of this name.
Filter filter_named(std::string_view name);
/// Those whose result is a list or that take one apart.
Filter list_filter_named(std::string_view name);

}  // namespace trireme::io::jinja
