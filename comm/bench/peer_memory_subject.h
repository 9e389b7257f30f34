#pragma once
#include <memory>
#include <vector>

#include "comm/bench/limit.h"
#include "comm/bench/subject.h"
#include "comm/shm/sharing.h"

namespace trireme::comm::bench {

/// The limit of a gather inside a node: as MemorySubject, but the ranks share the memory and each copies the
/// others' parts out of the others' inputs. Caches then hold as little input as in the collective itself,
/// where each part is read by all ranks. Nobody waits for anybody.
class PeerMemorySubject final : public Subject {
 public:
  /// Collective over all processes; the group must lie on one node. Throws a configuration error when the
  /// node cannot share two buffers of `largest` bytes for each rank.
  PeerMemorySubject(GroupShape shape, int rank, Stores stores, std::size_t largest);
  ~PeerMemorySubject() override;
  PeerMemorySubject(const PeerMemorySubject&) = delete;
  PeerMemorySubject& operator=(const PeerMemorySubject&) = delete;

  std::string name() const override;
  /// Two buffers of at most `largest` bytes, first the one that takes the inputs.
  Buffer allocate(std::size_t bytes) override;
  void prepare(const Workload& workload, const Placed& placed) override;
  void run() override;

 private:
  struct Piece {
    const std::byte* from;
    std::byte* to;
  };

  GroupShape shape_;
  int rank_;
  Stores stores_;
  std::size_t largest_, handed_out_ = 0;
  std::unique_ptr<Sharing> sharing_;
  SharedSegment segment_;
  std::vector<Piece> pieces_;
  std::size_t piece_bytes_ = 0;
};

/// Whether this limit says anything of `collective`.
bool reads_peers(Collective collective);

}  // namespace trireme::comm::bench
