#include "comm/mpi/device_exchange.h"

#include <mpi.h>

#include "comm/mpi/runtime.h"

namespace trireme::comm {

DeviceWorldOptions meet_over_mpi(const World& world) {
  DeviceWorldOptions options;
  options.rank = world.rank();
  options.node_of_rank = world.node_of_rank();
  options.cores = world.cores();
  options.broadcast_from_first = [](void* data, std::size_t bytes) {
    check_mpi(MPI_Bcast(data, static_cast<int>(bytes), MPI_BYTE, 0, MPI_COMM_WORLD), "MPI_Bcast");
  };
  return options;
}

}  // namespace trireme::comm
