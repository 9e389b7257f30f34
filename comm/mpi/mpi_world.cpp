#include "comm/mpi/mpi_world.h"

#include <algorithm>

#include "comm/mpi/mpi_communicator.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

/// Numbers the nodes in the order of their lowest rank.
std::vector<int> find_nodes(int rank, int size) {
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node),
            "MPI_Comm_split_type");
  int leader = rank;
  check_mpi(MPI_Bcast(&leader, 1, MPI_INT, 0, node), "MPI_Bcast");
  MPI_Comm_free(&node);
  std::vector<int> leaders(static_cast<std::size_t>(size));
  check_mpi(MPI_Allgather(&leader, 1, MPI_INT, leaders.data(), 1, MPI_INT, MPI_COMM_WORLD), "MPI_Allgather");
  std::vector<int> distinct = leaders;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (int& node_index : leaders)
    node_index =
        static_cast<int>(std::lower_bound(distinct.begin(), distinct.end(), node_index) - distinct.begin());
  return leaders;
}

}  // namespace

MpiWorld::MpiWorld(const MpiRuntime& runtime)
    : rank_(runtime.rank()), node_of_rank_(find_nodes(runtime.rank(), runtime.size())) {}

std::unique_ptr<Communicator> MpiWorld::communicator(const Group& group, std::string_view backend,
                                                     CommunicatorOptions options) {
  if (backend != "mpi" && backend != "auto")
    fail(ExitCode::usage, "there is no communicator backend '{}'; known are: mpi, auto", backend);
  MPI_Comm made = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(MPI_COMM_WORLD, group.ranks.front(), group.index_of(rank_), &made),
            "MPI_Comm_split");
  MPI_Comm_set_errhandler(made, MPI_ERRORS_RETURN);
  return std::make_unique<MpiCommunicator>(made, group, rank_, node_of_rank_, std::move(options));
}

}  // namespace trireme::comm
