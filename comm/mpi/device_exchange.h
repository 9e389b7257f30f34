#pragma once
#include "comm/device_world.h"

namespace trireme::comm {

/// What a device plugin must know of this world, with MPI as the way to meet.
DeviceWorldOptions meet_over_mpi(const World& world);

}  // namespace trireme::comm
