#include "comm/bench/link_rate.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "comm/bench/statistics.h"
#include "comm/bench/subject.h"
#include "comm/mpi/runtime.h"

namespace trireme::comm::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t message = std::size_t{256} << 10;
/// Messages under way to each neighbour, so that the link never waits for an acknowledgement.
constexpr std::size_t under_way = 8;

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

/// The messages of one turn: one to the right, one from each on the left.
class Slot {
 public:
  Slot(const Neighbours& neighbours, MPI_Comm all)
      : neighbours_(neighbours),
        all_(all),
        out_(ordinary_memory(message)),
        in_(ordinary_memory(message * std::max<std::size_t>(1, neighbours.from.size()))),
        requests_(neighbours.from.size() + 1, MPI_REQUEST_NULL) {}

  void begin(bool sends, bool receives) {
    const int bytes = static_cast<int>(message);
    for (std::size_t other = 0; receives && other < neighbours_.from.size(); ++other)
      check_mpi(MPI_Irecv(in_.as<std::byte>() + other * message, bytes, MPI_BYTE, neighbours_.from[other], 0,
                          all_, &requests_[other]),
                "MPI_Irecv");
    if (sends)
      check_mpi(MPI_Isend(out_.data(), bytes, MPI_BYTE, neighbours_.to, 0, all_, &requests_.back()),
                "MPI_Isend");
  }
  void finish() {
    check_mpi(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE),
              "MPI_Waitall");
  }

 private:
  const Neighbours& neighbours_;
  MPI_Comm all_;
  Buffer out_, in_;
  std::vector<MPI_Request> requests_;
};

/// What a rank does while the links of one turn are measured.
struct Part {
  bool sends = false;
  bool receives = false;
};

double stream_seconds(const Everyone& everyone, std::vector<Slot>& slots, Part part, int messages) {
  everyone.barrier();
  const auto begin = Clock::now();
  for (std::size_t turn = 0; turn < static_cast<std::size_t>(messages); ++turn) {
    Slot& slot = slots[turn % slots.size()];
    slot.finish();
    slot.begin(part.sends, part.receives);
  }
  for (Slot& slot : slots) slot.finish();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Seconds that `messages` took, on ranks that have a part; the number is raised until it takes long enough.
double seconds_a_message(const Everyone& everyone, std::vector<Slot>& slots, Part part) {
  constexpr double long_enough = 0.15;
  constexpr int most = 1 << 18;
  int messages = 8;
  while (everyone.slowest(stream_seconds(everyone, slots, part, messages)) < long_enough && messages < most)
    messages *= 4;
  std::vector<double> times;
  for (int repeat = 0; repeat < 3; ++repeat) times.push_back(stream_seconds(everyone, slots, part, messages));
  return median_of(times) / messages;
}

}  // namespace

int link_turns(int nodes) {
  return nodes % 2 == 0 ? 2 : 3;
}

int turn_of_link(int node, int nodes) {
  return nodes % 2 == 1 && node == nodes - 1 ? 2 : node % 2;
}

double measure_link_rate(const Everyone& everyone, const std::vector<int>& node_of_rank) {
  const int nodes = 1 + *std::max_element(node_of_rank.begin(), node_of_rank.end());
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (nodes == 1) return infinite;
  const Neighbours neighbours = neighbours_of(everyone.rank(), node_of_rank);
  std::vector<Slot> slots;
  for (std::size_t slot = 0; slot < under_way; ++slot) slots.emplace_back(neighbours, everyone.handle());
  const int node = node_of_rank[static_cast<std::size_t>(everyone.rank())];
  const int before = (node + nodes - 1) % nodes;
  double rate = infinite;
  for (int turn = 0; turn < link_turns(nodes); ++turn) {
    const Part part{turn_of_link(node, nodes) == turn, turn_of_link(before, nodes) == turn};
    const double seconds = seconds_a_message(everyone, slots, part);
    const auto senders = static_cast<double>(ranks_on(node_of_rank, before).size());
    // Only who receives knows that the data have arrived.
    if (part.receives && !neighbours.from.empty())
      rate = std::min(rate, senders * static_cast<double>(message) / seconds);
  }
  return -everyone.slowest(-rate);
}

}  // namespace trireme::comm::bench
