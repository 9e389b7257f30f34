#pragma once
#include "sharding/placement.h"

namespace trireme::sharding {

/// Throws a configuration error that names what of a placement this engine cannot carry out, and what to
/// write instead. `device_apart`: the device's memory is not the host's.
void require_supported(const Placement& placement, bool device_apart);

}  // namespace trireme::sharding
