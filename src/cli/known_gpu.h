#pragma once
#include <string>

#include "core/device.h"

namespace trireme::cli {

/// The name under which sharding/predict/known_machines.cpp has a GPU's published figures; empty: it has
/// none.
std::string known_gpu(const DeviceInfo& info);

}  // namespace trireme::cli
