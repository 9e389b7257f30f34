#include "comm/threads/thread_world.h"

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "comm/shm/shm_communicator.h"
#include "comm/threads/thread_team.h"
#include "comm/two_level/two_level_communicator.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

bool on_one_node(const Group& group, const std::vector<int>& node_of_rank) {
  const int first = node_of_rank[static_cast<std::size_t>(group.ranks.front())];
  return std::all_of(group.ranks.begin(), group.ranks.end(),
                     [&](int rank) { return node_of_rank[static_cast<std::size_t>(rank)] == first; });
}

/// What the threads of one run have in common.
struct Team {
  Alarm alarm;
  std::vector<int> node_of_rank;
  std::shared_ptr<MeetingPoint> everyone;
  std::map<int, std::shared_ptr<MeetingPoint>> nodes;
  std::mutex mutex;
  std::exception_ptr first_error;

  explicit Team(std::vector<int> layout) : node_of_rank(std::move(layout)) {
    everyone = std::make_shared<MeetingPoint>(static_cast<int>(node_of_rank.size()), alarm);
    for (const int node : node_of_rank)
      if (!nodes.contains(node))
        nodes[node] = std::make_shared<MeetingPoint>(
            static_cast<int>(std::count(node_of_rank.begin(), node_of_rank.end(), node)), alarm);
  }

  void run(int rank, const std::function<void(World&)>& body) {
    try {
      const int node = node_of_rank[static_cast<std::size_t>(rank)];
      const int peers = static_cast<int>(std::count(node_of_rank.begin(), node_of_rank.end(), node));
      const int seat = static_cast<int>(std::count(node_of_rank.begin(), node_of_rank.begin() + rank, node));
      const int ranks = static_cast<int>(node_of_rank.size());
      ThreadWorld world(
          rank, node_of_rank,
          std::make_shared<NodeHeap>(std::make_unique<ThreadSharing>(everyone, rank, ranks, alarm)),
          std::make_shared<NodeHeap>(std::make_unique<ThreadSharing>(nodes.at(node), seat, peers, alarm)));
      body(world);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!first_error) first_error = std::current_exception();
      alarm.ring();
    }
  }
};

}  // namespace

ThreadWorld::ThreadWorld(int rank, std::vector<int> node_of_rank, std::shared_ptr<NodeHeap> everyone,
                         std::shared_ptr<NodeHeap> node)
    : rank_(rank),
      node_of_rank_(std::move(node_of_rank)),
      everyone_(std::move(everyone)),
      node_(std::move(node)) {}

std::unique_ptr<Communicator> ThreadWorld::communicator(const Group& group, std::string_view backend,
                                                        CommunicatorOptions options) {
  const bool one_node = on_one_node(group, node_of_rank_);
  if (backend == "two_level") return std::make_unique<TwoLevelCommunicator>(*this, group, std::move(options));
  if (backend != "shm" && backend != "mpi" && backend != "auto")
    fail(ExitCode::usage,
         "there is no communicator backend '{}' for ranks that are threads; known are: shm, mpi, two_level, "
         "auto",
         backend);
  if (backend == "shm" && !one_node)
    fail(ExitCode::usage, "group '{}' spans nodes, so its backend cannot be shm", options.name);
  ShmGround ground;
  ground.heap = node_;
  ground.control = everyone_->share(ShmCommunicator::control_bytes(group.size()));
  ground.part_of_rank = group.ranks;
  ground.one_heap = one_node;
  ground.may_spin = size() <= everyone_->cores();
  return std::make_unique<ShmCommunicator>(std::move(ground), group, rank_, node_of_rank_,
                                           std::move(options));
}

void run_ranks(int ranks, const std::function<void(World&)>& body, std::vector<int> node_of_rank) {
  if (node_of_rank.empty()) node_of_rank.resize(static_cast<std::size_t>(ranks));
  require(static_cast<int>(node_of_rank.size()) == ranks, "{} ranks were given a layout for {}", ranks,
          node_of_rank.size());
  Team team(std::move(node_of_rank));
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&team, &body, rank] { team.run(rank, body); });
  threads.clear();
  if (team.first_error) std::rethrow_exception(team.first_error);
}

}  // namespace trireme::comm
