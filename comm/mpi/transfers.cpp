#include "comm/mpi/transfers.h"

#include <algorithm>
#include <thread>

#include "comm/mpi/runtime.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr int tag = 0;

/// What a thread does between polls that found nothing.
class Patience {
 public:
  explicit Patience(bool gives_way) : gives_way_(gives_way) {}

  void found_something() { polls_ = 0; }
  /// False while the next poll may follow at once.
  bool rest() {
    if (++polls_ % (gives_way_ ? polls_between_naps : polls_between_yields) != 0) return false;
    if (!gives_way_) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(nap_);
      nap_ = std::min(2 * nap_, longest_nap);
    }
    return true;
  }

 private:
  static constexpr unsigned polls_between_yields = 64;
  /// Each may bring a piece from each rank.
  static constexpr unsigned polls_between_naps = 4;
  /// In the longest a link of 1 Gbit/s moves 40 KB; sockets hold more.
  static constexpr std::chrono::microseconds shortest_nap{40}, longest_nap{320};

  bool gives_way_;
  unsigned polls_ = 0;
  std::chrono::microseconds nap_ = shortest_nap;
};

}  // namespace

Transfers::~Transfers() {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == MPI_REQUEST_NULL) continue;
    if (pieces_[i].incoming) MPI_Cancel(&requests_[i]);
    if (pieces_[i].peer >= 0) MPI_Request_free(&requests_[i]);
  }
}

void Transfers::send(const void* data, std::size_t bytes, int to) {
  sent_bytes_[static_cast<std::size_t>(to)] += bytes;
  const std::size_t longest = piece_bytes_[static_cast<std::size_t>(to)];
  for (std::size_t done = 0; done < bytes; done += longest) {
    const int length = static_cast<int>(std::min(longest, bytes - done));
    pieces_.push_back({to, false, length});
    check_mpi(MPI_Isend(static_cast<const std::byte*>(data) + done, length, MPI_BYTE, to, tag, communicator_,
                        &requests_.emplace_back(MPI_REQUEST_NULL)),
              "MPI_Isend");
  }
}

void Transfers::receive(void* data, std::size_t bytes, int from) {
  const std::size_t longest = piece_bytes_[static_cast<std::size_t>(from)];
  for (std::size_t done = 0; done < bytes; done += longest) {
    const int length = static_cast<int>(std::min(longest, bytes - done));
    pieces_.push_back({from, true, length});
    check_mpi(MPI_Irecv(static_cast<std::byte*>(data) + done, length, MPI_BYTE, from, tag, communicator_,
                        &requests_.emplace_back(MPI_REQUEST_NULL)),
              "MPI_Irecv");
  }
}

MPI_Request& Transfers::add_request() {
  pieces_.push_back({-1, false, 0});
  return requests_.emplace_back(MPI_REQUEST_NULL);
}

bool Transfers::finish(std::chrono::steady_clock::time_point deadline) {
  // Whichever is asked for, MPI moves them all.
  Patience patience(gives_way_);
  for (std::size_t first = 0; first < requests_.size();) {
    int done = 0;
    MPI_Status status{};
    check_mpi(MPI_Test(&requests_[first], &done, &status),
              "a message between ranks (do their calls differ?)");
    if (done) {
      check_length(pieces_[first++], status);
      patience.found_something();
    } else if (patience.rest() && std::chrono::steady_clock::now() > deadline) {
      return false;
    }
  }
  requests_.clear();
  pieces_.clear();
  return true;
}

void Transfers::check_length(const Piece& piece, const MPI_Status& status) {
  if (!piece.incoming) return;
  int bytes = 0;
  MPI_Get_count(&status, MPI_BYTE, &bytes);
  if (bytes != piece.bytes)
    fail(ExitCode::internal,
         "rank {} of the group sent {} bytes where {} were expected: the calls of the ranks differ",
         piece.peer, bytes, piece.bytes);
}

std::vector<int> Transfers::unfinished_peers() const {
  std::vector<int> peers;
  for (std::size_t i = 0; i < pieces_.size(); ++i)
    if (requests_[i] != MPI_REQUEST_NULL && pieces_[i].peer >= 0) peers.push_back(pieces_[i].peer);
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

}  // namespace trireme::comm
