#include "comm/watchdog/introductions.h"

#include <random>

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include "comm/mpi/runtime.h"
#include "comm/watchdog/net.h"
#include "comm/watchdog/packing.h"

namespace trireme::comm {
namespace {

class NodeRanks {
 public:
  NodeRanks(int node, int rank) {
    check_mpi(MPI_Comm_split(MPI_COMM_WORLD, node, rank, &communicator_), "MPI_Comm_split");
    MPI_Comm_rank(communicator_, &rank_);
    MPI_Comm_size(communicator_, &size_);
  }
  ~NodeRanks() { MPI_Comm_free(&communicator_); }
  NodeRanks(const NodeRanks&) = delete;
  NodeRanks& operator=(const NodeRanks&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  std::uint64_t from_first(std::uint64_t value) const {
    check_mpi(MPI_Bcast(&value, 1, MPI_UINT64_T, 0, communicator_), "MPI_Bcast");
    return value;
  }
  void meet() const { check_mpi(MPI_Barrier(communicator_), "MPI_Barrier"); }

 private:
  MPI_Comm communicator_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
};

std::uint64_t random_number() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::vector<std::string> gather_texts(const std::string& mine, int ranks) {
  const int length = static_cast<int>(mine.size());
  std::vector<int> lengths(static_cast<std::size_t>(ranks)), offsets(static_cast<std::size_t>(ranks));
  check_mpi(MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, MPI_COMM_WORLD), "MPI_Allgather");
  int total = 0;
  for (std::size_t rank = 0; rank < lengths.size(); ++rank) offsets[rank] = total, total += lengths[rank];
  std::string all(static_cast<std::size_t>(total), '\0');
  check_mpi(MPI_Allgatherv(mine.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(),
                           MPI_CHAR, MPI_COMM_WORLD),
            "MPI_Allgatherv");
  std::vector<std::string> texts;
  for (std::size_t rank = 0; rank < lengths.size(); ++rank)
    texts.push_back(
        all.substr(static_cast<std::size_t>(offsets[rank]), static_cast<std::size_t>(lengths[rank])));
  return texts;
}

std::string pack_endpoint(std::uint16_t port) {
  Packer packer;
  const auto addresses = own_addresses();
  packer.text(own_host_name()).value(port).value(static_cast<std::uint32_t>(addresses.size()));
  for (const auto& address : addresses) packer.text(address);
  return packer.take();
}

Endpoint unpack_endpoint(const std::string& text) {
  Unpacker unpacker(text);
  Endpoint endpoint;
  endpoint.host = unpacker.text();
  endpoint.port = unpacker.value<std::uint16_t>();
  for (auto left = unpacker.value<std::uint32_t>(); left > 0; --left)
    endpoint.addresses.push_back(unpacker.text());
  return endpoint;
}

}  // namespace

Introductions introduce(const World& world, const WatchdogOptions& options, std::uint16_t port) {
  Roster roster;
  roster.node_of_rank = options.node_of_rank.empty() ? world.node_of_rank() : options.node_of_rank;
  require(roster.size() == world.size(), "the watchdog is told the nodes of {} ranks but the world has {}",
          roster.size(), world.size());
  roster.key = random_number();
  check_mpi(MPI_Bcast(&roster.key, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD), "MPI_Bcast");
  for (const std::string& text : gather_texts(pack_endpoint(port), world.size()))
    roster.endpoint_of_rank.push_back(unpack_endpoint(text));

  const NodeRanks node(roster.node_of_rank[static_cast<std::size_t>(world.rank())], world.rank());
  const std::string name = fmt::format("/trireme-board-{:016x}", node.from_first(random_number()));
  const bool first = node.rank() == 0;
  if (!first) node.meet();
  Board board = first ? Board::create(name, node.size()) : Board::open(name, node.size());
  if (first) node.meet();
  RankEntry& entry = board.rank(node.rank());
  entry.process.store(getpid());
  entry.state.store(RankEntry::running, std::memory_order_release);
  node.meet();
  if (first) board.remove_name();
  return {std::move(roster), std::move(board), node.rank()};
}

}  // namespace trireme::comm
