#pragma once
#include <mpi.h>

#include "comm/communicator.h"

namespace trireme::comm {

/// The MPI backend: works across nodes and for any host memory. Every operation is non-blocking inside and
/// polled, so that it can run out of time.
class MpiCommunicator final : public Communicator {
 public:
  /// Takes ownership of `communicator`, whose ranks are those of `group`, in order.
  MpiCommunicator(MPI_Comm communicator, Group group, int world_rank, std::vector<int> node_of_rank,
                  CommunicatorOptions options);
  ~MpiCommunicator() override;

  std::string_view backend() const override { return "mpi"; }
  Buffer allocate(std::size_t bytes) override;

 protected:
  void execute(const Call& call) override;

 private:
  void finish(MPI_Request& request, const Call& call);

  MPI_Comm communicator_;
  std::vector<int> node_of_rank_;
};

}  // namespace trireme::comm
