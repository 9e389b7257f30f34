#include "tests/nccl_double/wire.h"

#include <algorithm>
#include <thread>

#include <mpi.h>

namespace trireme::tests {
namespace {

constexpr std::size_t longest_message = std::size_t{1} << 30;

MPI_Comm line() {
  static const MPI_Comm duplicate = [] {
    MPI_Comm made = MPI_COMM_NULL;
    MPI_Comm_dup(MPI_COMM_WORLD, &made);
    return made;
  }();
  return duplicate;
}

template <typename Begin>
void begin_in_pieces(const Wire::Part& part, std::vector<MPI_Request>& requests, const Begin& begin) {
  for (std::size_t at = 0; at < part.bytes; at += longest_message) {
    requests.push_back(MPI_REQUEST_NULL);
    begin(static_cast<std::byte*>(part.data) + at,
          static_cast<int>(std::min(longest_message, part.bytes - at)), &requests.back());
  }
}

}  // namespace

void Wire::open() {
  line();
}

int Wire::world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int Wire::world_size() {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

bool Wire::exchange(const std::vector<Part>& sends, const std::vector<Part>& receives,
                    const std::atomic<bool>& stop) {
  std::vector<MPI_Request> outgoing, incoming;
  for (const Part& part : receives)
    begin_in_pieces(part, incoming, [&](void* data, int bytes, MPI_Request* request) {
      MPI_Irecv(data, bytes, MPI_BYTE, part.world_rank, part.tag, line(), request);
    });
  for (const Part& part : sends)
    begin_in_pieces(part, outgoing, [&](void* data, int bytes, MPI_Request* request) {
      MPI_Isend(data, bytes, MPI_BYTE, part.world_rank, part.tag, line(), request);
    });
  const auto done = [](std::vector<MPI_Request>& requests) {
    int all = 0;
    MPI_Testall(static_cast<int>(requests.size()), requests.data(), &all, MPI_STATUSES_IGNORE);
    return all != 0;
  };
  for (bool in = false, out = false; !(in && out);) {
    in = in || done(incoming);
    out = out || done(outgoing);
    if (in && out) return true;
    if (stop.load()) {
      for (MPI_Request& request : incoming) {
        if (request == MPI_REQUEST_NULL) continue;
        MPI_Cancel(&request);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
      }
      for (MPI_Request& request : outgoing)
        if (request != MPI_REQUEST_NULL) MPI_Request_free(&request);
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

}  // namespace trireme::tests
