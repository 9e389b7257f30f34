#pragma once
#include <string>
#include <string_view>

#include "model/spec.h"

namespace trireme::model {

/// Reads a Hugging Face config.json; `where` names it in errors.
ModelSpec parse_config(std::string_view text, const std::string& where);

}  // namespace trireme::model
