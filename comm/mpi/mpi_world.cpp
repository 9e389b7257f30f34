#include "comm/mpi/mpi_world.h"

#include "comm/mpi/mpi_communicator.h"
#include "comm/two_level/two_level_communicator.h"
#include "core/error.h"

namespace trireme::comm {

MpiWorld::MpiWorld(const MpiRuntime& runtime, const BootstrapOptions& options)
    : rank_(runtime.rank()),
      topology_(bootstrap(runtime, options)),
      node_of_rank_(topology_.node_of_rank()) {}

std::unique_ptr<Communicator> MpiWorld::communicator(const Group& group, std::string_view backend,
                                                     CommunicatorOptions options) {
  if (backend == "two_level")
    return std::make_unique<TwoLevelCommunicator>(*this, group, std::move(options),
                                                  TwoLevelOptions{.inside = "mpi"});
  if (backend != "mpi" && backend != "auto")
    fail(ExitCode::usage, "there is no communicator backend '{}'; known are: mpi, two_level, auto", backend);
  MPI_Comm made = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(MPI_COMM_WORLD, group.ranks.front(), group.index_of(rank_), &made),
            "MPI_Comm_split");
  MPI_Comm_set_errhandler(made, MPI_ERRORS_RETURN);
  return std::make_unique<MpiCommunicator>(made, group, rank_, node_of_rank_, std::move(options));
}

}  // namespace trireme::comm
