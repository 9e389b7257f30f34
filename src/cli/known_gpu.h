#pragma once
#include <string>

#include "core/device.h"

namespace trireme::cli {

/// The name under which sharding/predict/known_machines.cpp has a GPU's published figures; empty: it has
/// none.
std::string known_gpu(const DeviceInfo& info);
/// The row that counts for a device, null: the host; a GPU of which nothing is published is taken for
/// another.
std::string table_row(const Device* device);

}  // namespace trireme::cli
