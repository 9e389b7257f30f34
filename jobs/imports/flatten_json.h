#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "jobs/read_yaml.h"

namespace trireme::jobs {

/// A JSON object as settings: members of objects get their names with dots between. Whole numbers that are
/// written with an exponent (5e8) become whole numbers.
std::vector<Setting> flatten_json(std::string_view text, const std::string& where);

}  // namespace trireme::jobs
