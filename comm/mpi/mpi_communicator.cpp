#include "comm/mpi/mpi_communicator.h"

#include <climits>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "comm/mpi/reductions.h"
#include "comm/mpi/runtime.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr std::size_t page = 4096;

struct Cuts {
  std::vector<int> counts, offsets;
};

int to_int(std::size_t value) {
  require(value <= INT_MAX, "a count of {} does not fit MPI's int", value);
  return static_cast<int>(value);
}

Cuts cuts_of(const Shards& shards) {
  Cuts cuts;
  for (int rank = 0; rank < shards.ranks(); ++rank) {
    cuts.counts.push_back(to_int(shards.count(rank)));
    cuts.offsets.push_back(to_int(shards.offset(rank)));
  }
  return cuts;
}

}  // namespace

MpiCommunicator::MpiCommunicator(MPI_Comm communicator, Group group, int world_rank,
                                 std::vector<int> node_of_rank, CommunicatorOptions options)
    : Communicator(std::move(group), world_rank, std::move(options)),
      communicator_(communicator),
      node_of_rank_(std::move(node_of_rank)) {}

MpiCommunicator::~MpiCommunicator() {
  lane_.drain();
  MPI_Comm_free(&communicator_);
}

Buffer MpiCommunicator::allocate(std::size_t bytes) {
  const std::size_t rounded = (bytes + page - 1) / page * page;
  void* data = std::aligned_alloc(page, rounded ? rounded : page);
  require(data != nullptr, "no host memory for {} bytes", bytes);
  return Buffer(data, bytes, [data] { std::free(data); });
}

void MpiCommunicator::finish(MPI_Request& request, const Call& call) {
  const auto deadline = std::chrono::steady_clock::now() + options().time_limit;
  for (unsigned poll = 1;; ++poll) {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), name_of(call.kind));
    if (done) return;
    if (poll % 64 != 0) continue;
    if (std::chrono::steady_clock::now() > deadline) fail_timeout(call, "");
    std::this_thread::yield();
  }
}

void MpiCommunicator::execute(const Call& call) {
  const MPI_Datatype type = mpi_type(call.dtype);
  MPI_Request request = MPI_REQUEST_NULL;
  switch (call.kind) {
    case Call::Kind::all_gather: {
      const Cuts cuts = cuts_of(call.shards);
      check_mpi(MPI_Iallgatherv(call.in, cuts.counts[static_cast<std::size_t>(rank())], type, call.out,
                                cuts.counts.data(), cuts.offsets.data(), type, communicator_, &request),
                "MPI_Iallgatherv");
      finish(request, call);
      break;
    }
    case Call::Kind::reduce_scatter: {
      const Cuts cuts = cuts_of(call.shards);
      check_mpi(MPI_Ireduce_scatter(call.in, call.out, cuts.counts.data(), type,
                                    mpi_operation(call.dtype, call.reduction), communicator_, &request),
                "MPI_Ireduce_scatter");
      finish(request, call);
      if (call.reduction == Reduction::mean) divide(call.out, call.shards.count(rank()), call.dtype, size());
      break;
    }
    case Call::Kind::all_reduce: {
      const void* in = call.in == call.out ? MPI_IN_PLACE : call.in;
      check_mpi(MPI_Iallreduce(in, call.out, to_int(call.count), type,
                               mpi_operation(call.dtype, call.reduction), communicator_, &request),
                "MPI_Iallreduce");
      finish(request, call);
      if (call.reduction == Reduction::mean) divide(call.out, call.count, call.dtype, size());
      break;
    }
    case Call::Kind::broadcast:
      check_mpi(MPI_Ibcast(call.out, to_int(call.count), type, call.peer, communicator_, &request),
                "MPI_Ibcast");
      finish(request, call);
      break;
    case Call::Kind::all_to_all: {
      const Cuts sent = cuts_of(call.shards), received = cuts_of(call.received);
      check_mpi(
          MPI_Ialltoallv(call.in, sent.counts.data(), sent.offsets.data(), type, call.out,
                         received.counts.data(), received.offsets.data(), type, communicator_, &request),
          "MPI_Ialltoallv");
      finish(request, call);
      break;
    }
    case Call::Kind::send:
      check_mpi(MPI_Isend(call.in, to_int(call.count), type, call.peer, 0, communicator_, &request),
                "MPI_Isend");
      finish(request, call);
      break;
    case Call::Kind::receive:
      check_mpi(MPI_Irecv(call.out, to_int(call.count), type, call.peer, 0, communicator_, &request),
                "MPI_Irecv");
      finish(request, call);
      break;
    case Call::Kind::barrier:
      check_mpi(MPI_Ibarrier(communicator_, &request), "MPI_Ibarrier");
      finish(request, call);
      break;
  }
}

}  // namespace trireme::comm
