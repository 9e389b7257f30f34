#pragma once
#include <memory>

#include <mpi.h>

#include "comm/shm/sharing.h"

namespace trireme::comm {

/// Memory that the processes of one node share through MPI windows. A rank alone on its node gets private
/// memory.
class MpiSharing final : public Sharing {
 public:
  /// Collective over MPI_COMM_WORLD.
  MpiSharing();
  /// Frees no window any more when an exception is on its way: other ranks may never come to the same point.
  ~MpiSharing() override;

  int rank() const override;
  int size() const override;
  SharedSegment create(std::size_t my_bytes) override;
  std::vector<std::uint64_t> exchange(std::uint64_t mine) override;

 private:
  struct Node;
  SharedSegment create_private(std::size_t bytes) const;

  std::shared_ptr<Node> node_;
};

}  // namespace trireme::comm
