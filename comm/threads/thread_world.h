#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "comm/shm/node_heap.h"

namespace trireme::comm {

/// A world whose ranks are threads of this process, for tests without MPI. The nodes are pretended: memory
/// from `allocate` is shared only between ranks of one node, and groups that span nodes pass their data
/// through staging memory.
///
/// "shm" is refused for groups across nodes, as on a real cluster; "mpi" and "auto" take any group.
class ThreadWorld final : public World {
 public:
  ThreadWorld(int rank, std::vector<int> node_of_rank, std::shared_ptr<NodeHeap> everyone,
              std::shared_ptr<NodeHeap> node);

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(node_of_rank_.size()); }
  const std::vector<int>& node_of_rank() const override { return node_of_rank_; }
  int cores() const override { return node_->cores(); }
  std::unique_ptr<Communicator> communicator(const Group& group, std::string_view backend,
                                             CommunicatorOptions options) override;

 private:
  int rank_;
  std::vector<int> node_of_rank_;
  /// Control memory of all communicators, also of those that span nodes.
  std::shared_ptr<NodeHeap> everyone_;
  std::shared_ptr<NodeHeap> node_;
};

/// Runs `body` once for each of `ranks` threads, each with its world, and returns when all have ended. When
/// one throws, the others' waiting ends too, and what was thrown first is thrown here. `node_of_rank` is the
/// pretended layout, {0, 0, 1, 1}; empty means one node.
void run_ranks(int ranks, const std::function<void(World&)>& body, std::vector<int> node_of_rank = {});

}  // namespace trireme::comm
