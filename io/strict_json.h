#pragma once
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

namespace trireme::io {

/// Parses JSON text and refuses what lenient parsers let pass: a key given twice, nesting beyond 32 levels,
/// invalid UTF-8, anything after the value. `where` names the file in the error, which is of the code
/// "configuration".
boost::json::value parse_strict_json(std::string_view text, const std::string& where);

}  // namespace trireme::io
