#pragma once
#include <memory>
#include <optional>
#include <string>

#include "comm/bootstrap.h"
#include "comm/communicator.h"
#include "comm/mpi/mpi_communicator.h"
#include "comm/mpi/runtime.h"
#include "comm/shm/node_heap.h"

namespace trireme::comm {

/// The world of MPI_COMM_WORLD. Outlives every communicator that it makes. "auto" is "shm" for a group inside
/// one node, and across nodes "two_level" where a node has several of its ranks, else "mpi"; memory from
/// `allocate` of any is shared by the node's ranks.
class MpiWorld final : public World {
 public:
  /// Limits that are not given are those of the transport.
  explicit MpiWorld(const MpiRuntime& runtime, const BootstrapOptions& options = {},
                    const std::optional<MpiLimits>& limits = {});

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(node_of_rank_.size()); }
  const std::vector<int>& node_of_rank() const override { return node_of_rank_; }
  int cores() const override { return heap_->cores(); }
  const Topology& topology() const { return topology_; }
  std::unique_ptr<Communicator> communicator(const Group& group, std::string_view backend,
                                             CommunicatorOptions options) override;

 private:
  bool some_group_has_two_levels(const Group& group) const;
  std::unique_ptr<Communicator> over_shared_memory(const Group& group, bool inside,
                                                   CommunicatorOptions& options);
  std::unique_ptr<Communicator> over_mpi(const Group& group, CommunicatorOptions options);

  int rank_;
  Topology topology_;
  std::vector<int> node_of_rank_;
  MpiLimits limits_;
  std::shared_ptr<NodeHeap> heap_;
};

}  // namespace trireme::comm
