#pragma once
#include <memory>
#include <string>
#include <vector>

#include "comm/bench/site.h"
#include "comm/communicator.h"
#include "comm/mpi/runtime.h"

namespace trireme::comm::bench {

/// One way of moving data between two ranks. Both call the same function at the same time; one leads.
class PairLink {
 public:
  virtual ~PairLink() = default;
  virtual std::string name() const = 0;
  /// 8 bytes there (and back, where `transfers_per_exchange` is 2), each waited for, `times` over.
  virtual void exchange(int peer, bool leads, int times) = 0;
  virtual int transfers_per_exchange() const { return 2; }
  /// Messages from the leader to the peer; returns on the leader when all have arrived.
  virtual void stream(int peer, bool leads, int messages) = 0;
};

inline constexpr std::size_t exchanged_bytes = 8;

/// send and receive of a communicator of the world.
std::unique_ptr<PairLink> make_communicator_link(std::unique_ptr<Communicator> communicator,
                                                 std::size_t message_bytes);
/// MPI_Send and MPI_Recv, and several MPI_Isend under way for a stream.
std::unique_ptr<PairLink> make_mpi_link(const Everyone& everyone, std::size_t message_bytes);

/// The links named, "ucx" for all three that UCX gives; "all" stands for every one that this world has. Every
/// rank calls it alike.
std::vector<std::unique_ptr<PairLink>> make_links(const MpiRuntime& runtime, const Site& site,
                                                  const std::vector<std::string>& backends,
                                                  std::size_t message_bytes);

}  // namespace trireme::comm::bench
