#include "comm/mpi/mpi_world.h"

#include <algorithm>
#include <utility>

#include "comm/mpi/mpi_sharing.h"
#include "comm/shm/shm_communicator.h"
#include "comm/two_level/two_level_communicator.h"
#include "core/error.h"

namespace trireme::comm {

MpiWorld::MpiWorld(const MpiRuntime& runtime, const BootstrapOptions& options,
                   const std::optional<MpiLimits>& limits)
    : rank_(runtime.rank()),
      topology_(bootstrap(runtime, options)),
      node_of_rank_(topology_.node_of_rank()),
      limits_(limits ? *limits : MpiLimits::of_this_transport()),
      heap_(std::make_shared<NodeHeap>(std::make_unique<MpiSharing>())) {
  const auto here =
      std::count(node_of_rank_.begin(), node_of_rank_.end(), node_of_rank_[static_cast<std::size_t>(rank_)]);
  require(heap_->size() == here,
          "MPI shares memory between {} ranks of this node but the topology puts {} here", heap_->size(),
          here);
}

std::unique_ptr<Communicator> MpiWorld::communicator(const Group& group, std::string_view backend,
                                                     CommunicatorOptions options) {
  if (backend == "two_level" || (backend == "auto" && some_group_has_two_levels(group)))
    return std::make_unique<TwoLevelCommunicator>(*this, group, std::move(options));
  const auto node_of = [this](int rank) { return node_of_rank_[static_cast<std::size_t>(rank)]; };
  const bool inside = std::all_of(group.ranks.begin(), group.ranks.end(),
                                  [&](int rank) { return node_of(rank) == node_of(rank_); });
  if (backend == "shm" && !inside)
    fail(ExitCode::usage, "group '{}' spans nodes, so its backend cannot be shm; use auto or mpi",
         options.name);
  if (backend == "shm" || backend == "auto") {
    if (auto made = over_shared_memory(group, inside, options)) return made;
  } else if (backend != "mpi") {
    fail(ExitCode::usage, "there is no communicator backend '{}'; known are: mpi, shm, two_level, auto",
         backend);
  }
  return over_mpi(group, std::move(options));
}

/// A communicator of two levels takes all ranks of the world to make, whatever their own groups need.
bool MpiWorld::some_group_has_two_levels(const Group& group) const {
  const NodeLayout layout(group, node_of_rank_);
  int here = layout.nodes() > 1 && layout.nodes() < layout.ranks() ? 1 : 0, anywhere = 0;
  check_mpi(MPI_Allreduce(&here, &anywhere, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD), "MPI_Allreduce");
  return anywhere != 0;
}

/// All ranks of the node take part, also those whose own group spans nodes: they share no bytes.
std::unique_ptr<Communicator> MpiWorld::over_shared_memory(const Group& group, bool inside,
                                                           CommunicatorOptions& options) {
  auto control = heap_->share(inside ? ShmCommunicator::control_bytes(group.size()) : 0);
  if (!inside) return nullptr;
  ShmGround ground;
  ground.heap = heap_;
  ground.control = std::move(control);
  ground.may_spin = heap_->size() <= heap_->cores();
  for (const int rank : group.ranks)
    ground.part_of_rank.push_back(static_cast<int>(std::count(
        node_of_rank_.begin(), node_of_rank_.begin() + rank, node_of_rank_[static_cast<std::size_t>(rank)])));
  return std::make_unique<ShmCommunicator>(std::move(ground), group, rank_, node_of_rank_,
                                           std::move(options));
}

std::unique_ptr<Communicator> MpiWorld::over_mpi(const Group& group, CommunicatorOptions options) {
  MPI_Comm made = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(MPI_COMM_WORLD, group.ranks.front(), group.index_of(rank_), &made),
            "MPI_Comm_split");
  MPI_Comm_set_errhandler(made, MPI_ERRORS_RETURN);
  return std::make_unique<MpiCommunicator>(made, group, rank_, node_of_rank_, heap_, std::move(options),
                                           limits_);
}

}  // namespace trireme::comm
