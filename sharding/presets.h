#pragma once
#include <string_view>
#include <vector>

#include "sharding/placement.h"

namespace trireme::sharding {

/// A named row of the table, with `compute` as the type of the parameters. Throws a configuration error that
/// lists the names.
Placement preset(std::string_view name, Codec compute = Codec::bf16);
std::vector<std::string_view> preset_names();

}  // namespace trireme::sharding
