#include "comm/bench/link_rate.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include "comm/bench/statistics.h"
#include "comm/bench/subject.h"
#include "comm/mpi/runtime.h"

namespace trireme::comm::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t message = std::size_t{1} << 20;

std::vector<int> ranks_on(const std::vector<int>& node_of_rank, int node) {
  std::vector<int> ranks;
  for (std::size_t rank = 0; rank < node_of_rank.size(); ++rank)
    if (node_of_rank[rank] == node) ranks.push_back(static_cast<int>(rank));
  return ranks;
}

/// Who a rank sends to, and all who send to it: the ranks of the next node are dealt out in turn.
struct Neighbours {
  int to = 0;
  std::vector<int> from;
};

Neighbours neighbours_of(int rank, const std::vector<int>& node_of_rank) {
  const int nodes = 1 + *std::max_element(node_of_rank.begin(), node_of_rank.end());
  const int node = node_of_rank[static_cast<std::size_t>(rank)];
  const auto mine = ranks_on(node_of_rank, node);
  const auto next = ranks_on(node_of_rank, (node + 1) % nodes);
  const auto before = ranks_on(node_of_rank, (node + nodes - 1) % nodes);
  const auto place = static_cast<std::size_t>(std::find(mine.begin(), mine.end(), rank) - mine.begin());
  Neighbours neighbours{next[place % next.size()], {}};
  for (std::size_t other = 0; other < before.size(); ++other)
    if (other % mine.size() == place) neighbours.from.push_back(before[other]);
  return neighbours;
}

double stream_seconds(const Everyone& everyone, const Neighbours& neighbours, const Buffer& out,
                      const Buffer& in, int messages) {
  everyone.barrier();
  const auto begin = Clock::now();
  std::vector<MPI_Request> requests(neighbours.from.size() + 1);
  for (int i = 0; i < messages; ++i) {
    MPI_Isend(out.data(), static_cast<int>(message), MPI_BYTE, neighbours.to, 0, everyone.handle(),
              &requests[0]);
    for (std::size_t other = 0; other < neighbours.from.size(); ++other)
      MPI_Irecv(in.as<std::byte>() + other * message, static_cast<int>(message), MPI_BYTE,
                neighbours.from[other], 0, everyone.handle(), &requests[other + 1]);
    check_mpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE),
              "MPI_Waitall");
  }
  return everyone.slowest(std::chrono::duration<double>(Clock::now() - begin).count());
}

}  // namespace

double measure_link_rate(const Everyone& everyone, const std::vector<int>& node_of_rank) {
  if (std::all_of(node_of_rank.begin(), node_of_rank.end(), [](int node) { return node == 0; }))
    return std::numeric_limits<double>::infinity();
  const Neighbours neighbours = neighbours_of(everyone.rank(), node_of_rank);
  const Buffer out = ordinary_memory(message),
               in = ordinary_memory(message * std::max<std::size_t>(1, neighbours.from.size()));
  constexpr double long_enough = 0.5;
  int messages = 2;
  double seconds = stream_seconds(everyone, neighbours, out, in, messages);
  while (seconds < long_enough / 4 && messages < (1 << 16))
    seconds = stream_seconds(everyone, neighbours, out, in, messages *= 4);
  std::vector<double> times;
  for (int repeat = 0; repeat < 3; ++repeat)
    times.push_back(stream_seconds(everyone, neighbours, out, in, messages));
  const auto senders = ranks_on(node_of_rank, node_of_rank[static_cast<std::size_t>(everyone.rank())]).size();
  const double rate =
      static_cast<double>(senders) * messages * static_cast<double>(message) / median_of(times);
  return -everyone.slowest(-rate);
}

}  // namespace trireme::comm::bench
