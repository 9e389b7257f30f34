#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/template/methods.h"

namespace trireme::io::jinja {

Method text_method_named(std::string_view name);

/// Replaces the first `most` places, or all where it is negative.
std::string replaced(std::string_view text, std::string_view old, std::string_view by, std::int64_t most,
                     Runtime& runtime);
/// Lines without their ends, by all that Python takes for an end of line.
std::vector<std::string_view> lines_of(std::string_view text);

}  // namespace trireme::io::jinja
