#include "comm/mpi/mpi_communicator.h"

#include <algorithm>
#include <utility>

#include <fmt/ranges.h>

#include "comm/mpi/runtime.h"
#include "comm/mpi/transport.h"
#include "comm/simd/copy.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

/// Enough under way over TCP to fill a link while its ranks compute, little enough to be copied without harm.
constexpr std::size_t turn_bytes_over_tcp = std::size_t{4} << 20;

}  // namespace

MpiLimits MpiLimits::of_this_transport() {
  unsigned long longest = longest_unasked_over_tcp().value_or(Transfers::longest_piece), everywhere = 0;
  check_mpi(MPI_Allreduce(&longest, &everywhere, 1, MPI_UNSIGNED_LONG, MPI_MIN, MPI_COMM_WORLD),
            "MPI_Allreduce");
  MpiLimits limits;
  if (everywhere == Transfers::longest_piece) return limits;
  limits.across_piece_bytes = everywhere;
  limits.turn_bytes = turn_bytes_over_tcp;
  return limits;
}

MpiCommunicator::MpiCommunicator(MPI_Comm communicator, Group group, int world_rank,
                                 const std::vector<int>& node_of_rank, std::shared_ptr<NodeHeap> heap,
                                 CommunicatorOptions options, MpiLimits limits)
    : Communicator(std::move(group), world_rank, std::move(options)),
      communicator_(communicator),
      heap_(std::move(heap)),
      limits_(limits),
      piece_bytes_(static_cast<std::size_t>(size()), limits.piece_bytes),
      piece_bytes_of_turns_(piece_bytes_),
      sent_bytes_(static_cast<std::size_t>(size())) {
  for (const int member : this->group().ranks)
    node_of_member_.push_back(node_of_rank[static_cast<std::size_t>(member)]);
  const int here = node_of_member_[static_cast<std::size_t>(rank())];
  for (std::size_t member = 0; member < node_of_member_.size(); ++member)
    if (node_of_member_[member] != here)
      piece_bytes_of_turns_[member] = std::min(limits_.piece_bytes, limits_.across_piece_bytes);
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

std::size_t MpiCommunicator::block_of(std::size_t width, std::size_t bytes_of_a_turn) const {
  return std::max<std::size_t>(
      bytes_of_a_turn / static_cast<std::size_t>(std::max(size() - 1, 1)) / 64 * 64 / width, 1);
}

MpiCommunicator::Stretch MpiCommunicator::Stretch::part(std::size_t done, std::size_t block) const {
  return {offset + done, done >= count ? 0 : std::min(count - done, block)};
}

void MpiCommunicator::start(Transfers& turn, const Swap& swap, std::size_t done) const {
  for (int step = 1; step < size(); ++step) {
    const int from = (rank() + size() - step) % size();
    const auto landing = swap.landing(done, from);
    turn.receive(landing.data(), landing.size(), from);
  }
  for (int step = 1; step < size(); ++step) {
    const int to = (rank() + step) % size();
    const auto leaving = swap.leaving(done, to);
    turn.send(leaving.data(), leaving.size(), to);
  }
}

void MpiCommunicator::exchange(const Call& call, const Swap& swap) {
  Transfers even = turn(), odd = turn();
  if (swap.longest > 0) start(even, swap, 0);
  swap.besides();
  bool is_odd = false;
  for (std::size_t done = 0, next; done < swap.longest; done = next, is_odd = !is_odd) {
    next = done + std::min(swap.block, swap.longest - done);
    if (next < swap.longest) start(is_odd ? even : odd, swap, next);
    finish(is_odd ? odd : even, call);
    swap.landed(done);
  }
}

void MpiCommunicator::swap_stretches(const Call& call, const StretchOf& arriving, const StretchOf& leaving) {
  const std::size_t width = size_of(call.dtype), block = block_of(width, limits_.turn_bytes);
  const auto* in = static_cast<const std::byte*>(call.in);
  auto* out = static_cast<std::byte*>(call.out);
  std::size_t longest = 0;
  for (int member = 0; member < size(); ++member)
    longest = std::max({longest, arriving(member).count, leaving(member).count});
  exchange(call, {.longest = longest,
                  .block = block,
                  .landing =
                      [&](std::size_t done, int from) {
                        const Stretch part = arriving(from).part(done, block);
                        return std::span(out + part.offset * width, part.count * width);
                      },
                  .leaving =
                      [&](std::size_t done, int to) {
                        const Stretch part = leaving(to).part(done, block);
                        return std::span(in + part.offset * width, part.count * width);
                      },
                  .besides =
                      [&] {
                        const Stretch from = leaving(rank());
                        std::byte* own = out + arriving(rank()).offset * width;
                        if (own != in + from.offset * width)
                          simd::copy(own, in + from.offset * width, from.count * width);
                      },
                  .landed = [](std::size_t) {}});
}

void MpiCommunicator::all_gather(const Call& call) {
  swap_stretches(
      call,
      [&](int from) {
        return Stretch{call.shards.offset(from), call.shards.count(from)};
      },
      [&](int) {
        return Stretch{0, call.shards.count(rank())};
      });
}

void MpiCommunicator::all_to_all(const Call& call) {
  swap_stretches(
      call,
      [&](int from) {
        return Stretch{call.received.offset(from), call.received.count(from)};
      },
      [&](int to) {
        return Stretch{call.shards.offset(to), call.shards.count(to)};
      });
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
