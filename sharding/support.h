#pragma once
#include "sharding/placement.h"

namespace trireme::sharding {

/// Throws a configuration error that names what of a placement this engine cannot carry out, and what to
/// write instead.
void require_supported(const Placement& placement);

}  // namespace trireme::sharding
