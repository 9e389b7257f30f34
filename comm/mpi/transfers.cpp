#include "comm/mpi/transfers.h"

#include <algorithm>
#include <thread>

#include "comm/mpi/runtime.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr int tag = 0;
constexpr unsigned polls_between_looks_at_the_clock = 64;

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
  for (std::size_t done = 0; done < bytes; done += piece_bytes_) {
    const int length = static_cast<int>(std::min(piece_bytes_, bytes - done));
    pieces_.push_back({to, false, length});
    check_mpi(MPI_Isend(static_cast<const std::byte*>(data) + done, length, MPI_BYTE, to, tag, communicator_,
                        &requests_.emplace_back(MPI_REQUEST_NULL)),
              "MPI_Isend");
  }
}

void Transfers::receive(void* data, std::size_t bytes, int from) {
  for (std::size_t done = 0; done < bytes; done += piece_bytes_) {
    const int length = static_cast<int>(std::min(piece_bytes_, bytes - done));
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
  std::vector<MPI_Status> statuses(requests_.size());
  for (unsigned poll = 1;; ++poll) {
    int done = 0;
    const int code =
        MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, statuses.data());
    if (code == MPI_ERR_IN_STATUS) {
      for (const MPI_Status& status : statuses)
        if (status.MPI_ERROR != MPI_ERR_PENDING)
          check_mpi(status.MPI_ERROR, "a message between ranks (do their calls differ?)");
    }
    check_mpi(code, "MPI_Testall");
    if (done) break;
    if (poll % polls_between_looks_at_the_clock != 0) continue;
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  check_lengths(statuses);
  requests_.clear();
  pieces_.clear();
  return true;
}

void Transfers::check_lengths(const std::vector<MPI_Status>& statuses) const {
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (!pieces_[i].incoming) continue;
    int bytes = 0;
    MPI_Get_count(&statuses[i], MPI_BYTE, &bytes);
    if (bytes != pieces_[i].bytes)
      fail(ExitCode::internal,
           "rank {} of the group sent {} bytes where {} were expected: the calls of the ranks differ",
           pieces_[i].peer, bytes, pieces_[i].bytes);
  }
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
