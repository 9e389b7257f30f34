#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "comm/watchdog/judge.h"
#include "comm/watchdog/signature.h"

namespace trireme::comm {
namespace {

struct Party {
  Signature signature;
  std::vector<const RankView*> ranks;
};

struct Operation {
  std::string name;
  std::vector<Party> parties;

  void add(const RankView& rank, Signature signature) {
    const auto found = std::find_if(parties.begin(), parties.end(),
                                    [&](const Party& party) { return party.signature == signature; });
    if (found == parties.end()) {
      parties.push_back({signature, {&rank}});
    } else {
      found->ranks.push_back(&rank);
    }
  }
};

using Key = std::pair<std::uint64_t, std::uint64_t>;

std::map<Key, Operation> remembered_operations(std::span<const RankView> ranks) {
  std::map<Key, Operation> operations;
  for (const RankView& rank : ranks) {
    for (const CallView& call : rank.calls) {
      const CallState& state = call.state;
      const std::uint64_t oldest =
          state.begun > CallState::remembered ? state.begun - CallState::remembered : 0;
      for (std::uint64_t number = oldest; number < state.begun; ++number) {
        Operation& operation = operations[{state.communicator, number}];
        operation.name = std::string(view_of(state.name));
        operation.add(rank, Signature(state.recent[number % CallState::remembered]));
      }
    }
  }
  return operations;
}

std::size_t ranks_yet_to_begin(std::span<const RankView> ranks, const Key& key) {
  const auto [communicator, number] = key;
  return static_cast<std::size_t>(std::count_if(ranks.begin(), ranks.end(), [&](const RankView& rank) {
    return rank.presence == Presence::running &&
           std::any_of(rank.calls.begin(), rank.calls.end(), [&](const CallView& call) {
             return call.state.communicator == communicator && call.state.begun <= number;
           });
  }));
}

/// Whoever is still to come, no other party can outnumber this one.
bool stays_ahead(const Party& right, const Party& next, std::size_t unknown) {
  return right.ranks.size() >= next.ranks.size() + unknown;
}

}  // namespace

std::optional<Mismatch> judge_mismatch(std::span<const RankView> ranks) {
  for (auto& [key, operation] : remembered_operations(ranks)) {
    if (operation.parties.size() < 2) continue;
    // The many are right; between equals the rank that counts first is.
    std::stable_sort(operation.parties.begin(), operation.parties.end(),
                     [](const Party& a, const Party& b) { return a.ranks.size() > b.ranks.size(); });
    const Party& right = operation.parties.front();
    const Party& wrong = operation.parties.back();
    const RankView& culprit = *wrong.ranks.front();
    Verdict verdict;
    verdict.reason = Reason::mismatch;
    verdict.code = ExitCode::internal;
    verdict.rank = culprit.rank;
    verdict.node = culprit.host;
    verdict.operation = wrong.signature.describe();
    verdict.communicator = operation.name;
    verdict.sequence = key.second;
    for (const RankView* rank : wrong.ranks) verdict.missing.push_back(rank->rank);
    verdict.message = fmt::format(
        "rank {} on {} calls {} as operation {} of '{}', where rank {} calls {}: the ranks of a group must "
        "make the same calls in the same order",
        culprit.rank, culprit.host, wrong.signature.describe(), key.second, operation.name,
        right.ranks.front()->rank, right.signature.describe());
    const bool decided = stays_ahead(right, operation.parties[1], ranks_yet_to_begin(ranks, key));
    return Mismatch{std::move(verdict), decided};
  }
  return std::nullopt;
}

}  // namespace trireme::comm
