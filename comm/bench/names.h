#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace trireme::comm::bench {

/// "a, b,c" → a b c; empty pieces are dropped.
std::vector<std::string> split_names(std::string_view names);

/// "sum, mean, max".
template <typename Values>
std::string listed(const Values& values) {
  std::string text;
  for (const auto value : values) text += (text.empty() ? "" : ", ") + std::string(name_of(value));
  return text;
}

/// The value with this name; throws a usage error that says what `kind` of thing is unknown and which are
/// known.
template <typename Values>
typename Values::value_type value_named(std::string_view name, const Values& values, std::string_view kind) {
  for (const auto value : values)
    if (name_of(value) == name) return value;
  fail(ExitCode::usage, "there is no {} '{}'; known are: {}", kind, name, listed(values));
}

}  // namespace trireme::comm::bench
