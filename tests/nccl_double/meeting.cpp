#include "tests/nccl_double/meeting.h"

#include <algorithm>
#include <cstring>

#include "tests/nccl_double/wire.h"

namespace trireme::tests {
namespace {

constexpr int split_tag = 5, context_tag = 6, end_tag = 7;
constexpr std::size_t most_ranks = 64;

/// Inside of the double's unique id. The context number of the world's communicator is the id itself.
struct Invitation {
  int host = 0;
  int context = 0;
};

int next_context() {
  static std::atomic<int> made{0};
  return 1 + made++ * Wire::world_size() + Wire::world_rank();
}

struct Guest {
  int rank = 0;
  int world_rank = 0;
  int size = 0;
};

struct Table {
  int world_ranks[most_ranks]{};
};

struct Wish {
  int color = 0;
  int key = 0;
};

ncclResult_t exchange(const std::vector<Wire::Part>& sends, const std::vector<Wire::Part>& receives,
                      HostComm& comm) {
  return Wire::exchange(sends, receives, comm.stop()) ? ncclSuccess : ncclRemoteError;
}

template <typename T>
ncclResult_t tell_all(HostComm& comm, const T& mine, std::vector<T>& all, int tag) {
  all.assign(static_cast<std::size_t>(comm.size()), mine);
  std::vector<Wire::Part> sends, receives;
  T word = mine;
  for (int rank = 0; rank < comm.size(); ++rank) {
    if (rank == comm.rank()) continue;
    sends.push_back({comm.world_rank(rank), &word, sizeof word, comm.tag(tag)});
    receives.push_back(
        {comm.world_rank(rank), &all[static_cast<std::size_t>(rank)], sizeof word, comm.tag(tag)});
  }
  return exchange(sends, receives, comm);
}

}  // namespace

ncclResult_t make_id(ncclUniqueId* id) {
  const Invitation invitation{Wire::world_rank(), next_context()};
  std::memset(id, 0, sizeof *id);
  std::memcpy(id, &invitation, sizeof invitation);
  return ncclSuccess;
}

ncclResult_t meet_by_id(HostComm& comm, const ncclUniqueId& id, int rank, int size) {
  Invitation invitation;
  std::memcpy(static_cast<void*>(&invitation), &id, sizeof invitation);
  const int ask = invitation.context * 8 + split_tag, answer = invitation.context * 8 + context_tag;
  Guest me{rank, Wire::world_rank(), size};
  Table table;
  if (Wire::world_rank() == invitation.host) {
    std::vector<Guest> guests(static_cast<std::size_t>(Wire::world_size()));
    guests[static_cast<std::size_t>(invitation.host)] = me;
    std::vector<Wire::Part> asks, answers;
    for (int other = 0; other < Wire::world_size(); ++other)
      if (other != invitation.host)
        asks.push_back({other, &guests[static_cast<std::size_t>(other)], sizeof(Guest), ask});
    if (size != Wire::world_size())
      return report_misuse("the double meets by id in the whole world only"), ncclInvalidUsage;
    if (const auto met = exchange({}, asks, comm); met != ncclSuccess) return met;
    std::vector<int> seen(static_cast<std::size_t>(size), 0);
    for (const Guest& guest : guests) {
      if (guest.size != size || seen[static_cast<std::size_t>(guest.rank)]++)
        return report_misuse("two ranks came to ncclCommInitRankConfig as the same one, or with other sizes"),
               ncclInvalidUsage;
      table.world_ranks[guest.rank] = guest.world_rank;
    }
    for (int other = 0; other < Wire::world_size(); ++other)
      if (other != invitation.host) answers.push_back({other, &table, sizeof table, answer});
    if (const auto met = exchange(answers, {}, comm); met != ncclSuccess) return met;
  } else {
    const auto met = exchange({{invitation.host, &me, sizeof me, ask}},
                              {{invitation.host, &table, sizeof table, answer}}, comm);
    if (met != ncclSuccess) return met;
  }
  comm.become(rank, std::vector<int>(table.world_ranks, table.world_ranks + size), invitation.context);
  return ncclSuccess;
}

ncclResult_t meet_by_split(HostComm& parent, HostComm& child, int color, int key) {
  std::vector<Wish> wishes;
  if (const auto met = tell_all(parent, Wish{color, key}, wishes, split_tag); met != ncclSuccess) return met;
  std::vector<int> group;
  for (int rank = 0; rank < parent.size(); ++rank)
    if (wishes[static_cast<std::size_t>(rank)].color == color) group.push_back(rank);
  std::stable_sort(group.begin(), group.end(), [&](int a, int b) {
    return wishes[static_cast<std::size_t>(a)].key < wishes[static_cast<std::size_t>(b)].key;
  });
  std::vector<int> contexts;
  if (const auto met = tell_all(parent, next_context(), contexts, context_tag); met != ncclSuccess)
    return met;
  const int context = contexts[static_cast<std::size_t>(group.front())];
  const auto place = std::find(group.begin(), group.end(), parent.rank()) - group.begin();
  for (int& rank : group) rank = parent.world_rank(rank);
  child.become(static_cast<int>(place), std::move(group), context);
  return ncclSuccess;
}

ncclResult_t meet_at_end(HostComm& comm) {
  std::vector<int> all;
  return tell_all(comm, 1, all, end_tag);
}

}  // namespace trireme::tests
