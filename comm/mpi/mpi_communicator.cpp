#include "comm/mpi/mpi_communicator.h"

#include <algorithm>
#include <utility>

#include <fmt/ranges.h>

#include "comm/mpi/runtime.h"
#include "comm/simd/copy.h"
#include "core/error.h"

namespace trireme::comm {

MpiCommunicator::MpiCommunicator(MPI_Comm communicator, Group group, int world_rank,
                                 const std::vector<int>& node_of_rank, std::shared_ptr<NodeHeap> heap,
                                 CommunicatorOptions options, MpiLimits limits)
    : Communicator(std::move(group), world_rank, std::move(options)),
      communicator_(communicator),
      heap_(std::move(heap)),
      limits_(limits),
      sent_bytes_(static_cast<std::size_t>(size())) {
  for (const int member : this->group().ranks)
    node_of_member_.push_back(node_of_rank[static_cast<std::size_t>(member)]);
}

MpiCommunicator::~MpiCommunicator() {
  lane_.drain();
  MPI_Comm_free(&communicator_);
}

void MpiCommunicator::finish(Transfers& transfers, const Call& call) {
  if (transfers.finish(deadline_)) return;
  std::vector<int> peers = transfers.unfinished_peers();
  for (int& peer : peers) peer = group().ranks[static_cast<std::size_t>(peer)];
  fail_timeout(call, peers.empty()
                         ? ""
                         : fmt::format("still exchanging with {} {}", peers.size() == 1 ? "rank" : "ranks",
                                       fmt::join(peers, ", ")));
}

void MpiCommunicator::execute(const Call& call) {
  if (broken_)
    fail(ExitCode::hang, "group '{}' cannot be used any more: an earlier operation on it failed", name());
  deadline_ = std::chrono::steady_clock::now() + options().time_limit;
  std::fill(sent_bytes_.begin(), sent_bytes_.end(), 0);
  try {
    dispatch(call);
  } catch (...) {
    broken_ = true;
    throw;
  }
  const int here = node_of_member_[static_cast<std::size_t>(rank())];
  std::uint64_t inside = 0, across = 0;
  for (std::size_t to = 0; to < sent_bytes_.size(); ++to)
    (node_of_member_[to] == here ? inside : across) += sent_bytes_[to];
  count_traffic(inside, across);
}

void MpiCommunicator::dispatch(const Call& call) {
  switch (call.kind) {
    case Call::Kind::all_gather:
      return all_gather(call);
    case Call::Kind::reduce_scatter:
      return reduce_scatter(call);
    case Call::Kind::all_reduce:
      return all_reduce(call);
    case Call::Kind::broadcast:
      return broadcast(call);
    case Call::Kind::all_to_all:
      return all_to_all(call);
    case Call::Kind::send:
    case Call::Kind::receive: {
      Transfers message = transfers();
      const std::size_t bytes = call.count * size_of(call.dtype);
      if (call.kind == Call::Kind::send) {
        message.send(call.in, bytes, call.peer);
      } else {
        message.receive(call.out, bytes, call.peer);
      }
      return finish(message, call);
    }
    case Call::Kind::barrier: {
      Transfers barrier = transfers();
      check_mpi(MPI_Ibarrier(communicator_, &barrier.add_request()), "MPI_Ibarrier");
      return finish(barrier, call);
    }
  }
}

void MpiCommunicator::all_gather(const Call& call) {
  const std::size_t width = size_of(call.dtype), mine = call.shards.count(rank()) * width;
  auto* out = static_cast<std::byte*>(call.out);
  Transfers shards = transfers();
  for (int step = 1; step < size(); ++step) {
    const int from = (rank() + size() - step) % size();
    shards.receive(out + call.shards.offset(from) * width, call.shards.count(from) * width, from);
  }
  for (int step = 1; step < size(); ++step) shards.send(call.in, mine, (rank() + step) % size());
  std::byte* own = out + call.shards.offset(rank()) * width;
  if (own != call.in) simd::copy(own, call.in, mine);
  finish(shards, call);
}

void MpiCommunicator::all_to_all(const Call& call) {
  const std::size_t width = size_of(call.dtype);
  const auto* in = static_cast<const std::byte*>(call.in);
  auto* out = static_cast<std::byte*>(call.out);
  Transfers parts = transfers();
  for (int step = 1; step < size(); ++step) {
    const int from = (rank() + size() - step) % size();
    parts.receive(out + call.received.offset(from) * width, call.received.count(from) * width, from);
  }
  for (int step = 1; step < size(); ++step) {
    const int to = (rank() + step) % size();
    parts.send(in + call.shards.offset(to) * width, call.shards.count(to) * width, to);
  }
  simd::copy(out + call.received.offset(rank()) * width, in + call.shards.offset(rank()) * width,
             call.shards.count(rank()) * width);
  finish(parts, call);
}

/// Down a binomial tree, a segment at a time: each rank passes a segment on while it receives the next.
void MpiCommunicator::broadcast(const Call& call) {
  auto* data = static_cast<std::byte*>(call.out);
  const std::size_t bytes = call.count * size_of(call.dtype);
  const int place = (rank() - call.peer + size()) % size();
  const auto rank_at = [this, &call](int other) { return (other + call.peer) % size(); };
  int reach = 1;
  while (reach < size() && (place & reach) == 0) reach <<= 1;
  Transfers passing = transfers();
  for (std::size_t done = 0; done < bytes; done += limits_.segment_bytes) {
    const std::size_t length = std::min(limits_.segment_bytes, bytes - done);
    if (place != 0) {
      Transfers incoming = transfers();
      incoming.receive(data + done, length, rank_at(place & ~reach));
      finish(incoming, call);
    }
    for (int step = reach >> 1; step > 0; step >>= 1)
      if (place + step < size()) passing.send(data + done, length, rank_at(place + step));
  }
  finish(passing, call);
}

}  // namespace trireme::comm
