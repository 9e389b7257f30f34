#pragma once
#include <string_view>

#include "io/template/runtime.h"

namespace trireme::io::jinja {

using Method = Value (*)(Runtime&, const Value& object, const Arguments&);

/// The method of Python's str, dict or list with this name, or of `loop`; null where there is none.
Method method_named(const Value& object, std::string_view name);

}  // namespace trireme::io::jinja
