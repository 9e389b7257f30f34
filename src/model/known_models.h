#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "model/spec.h"

namespace trireme::model {

/// The form of a published model ("llama-3-70b", "mpt-7b"), for planning without its folder. Families that
/// have learned positions get `positions` of them. Nothing where the name is not known.
std::optional<ModelSpec> known_model(std::string_view name, std::int64_t positions = 2048);
std::vector<std::string_view> known_model_names();

}  // namespace trireme::model
