#include "comm/bench/peer_memory_subject.h"

#include "comm/mpi/mpi_sharing.h"
#include "core/error.h"

namespace trireme::comm::bench {
namespace {

constexpr std::size_t page = 4096;

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + page - 1) / page * page;
}

}  // namespace

bool reads_peers(Collective collective) {
  return collective == Collective::all_gather;
}

PeerMemorySubject::PeerMemorySubject(GroupShape shape, int rank, Stores stores, std::size_t largest)
    : shape_(shape),
      rank_(rank),
      stores_(stores),
      largest_(whole_pages(largest)),
      sharing_(std::make_unique<MpiSharing>()),
      segment_(sharing_->create(2 * largest_)) {}

PeerMemorySubject::~PeerMemorySubject() = default;

std::string PeerMemorySubject::name() const {
  return stores_ == Stores::cached ? "peer_memory" : "peer_memory_streaming";
}

Buffer PeerMemorySubject::allocate(std::size_t bytes) {
  if (bytes > largest_ || handed_out_ == 2)
    fail(ExitCode::internal, "the shared limit has two buffers of {} bytes, and {} more were asked for",
         largest_, bytes);
  std::byte* own = segment_.parts[static_cast<std::size_t>(sharing_->rank())];
  return Buffer(own + largest_ * handed_out_++, bytes, [owner = segment_.owner] {});
}

void PeerMemorySubject::prepare(const Workload& workload, const Placed& placed) {
  pieces_.clear();
  piece_bytes_ = workload.part_bytes();
  if (!reads_peers(workload.collective)) return;
  // Groups inside a node take all its ranks in order, or are of one rank.
  const int first_member = shape_.ranks == 1 ? sharing_->rank() : 0;
  // Past the caches it pays that all read the same part at a time; inside them, that each begins elsewhere.
  const int begin = stores_ == Stores::streaming ? 0 : rank_;
  for (int step = 0; step < shape_.ranks; ++step) {
    const int member = (begin + step) % shape_.ranks;
    if (workload.in_place && member == rank_) continue;
    pieces_.push_back(
        {segment_.parts[static_cast<std::size_t>(first_member) + static_cast<std::size_t>(member)],
         placed.out + static_cast<std::size_t>(member) * piece_bytes_});
  }
}

void PeerMemorySubject::run() {
  for (const Piece& piece : pieces_) stream_blocks(piece.from, 1, piece.to, 1, piece_bytes_, stores_);
}

}  // namespace trireme::comm::bench
