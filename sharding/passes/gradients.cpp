#include <map>
#include <utility>

#include "sharding/passes/passes.h"

namespace trireme::sharding::passes {
namespace {

/// Right before an op of a cell; a cell's size: after all of its ops, before the computation.
struct Place {
  std::size_t cell = 0, index = 0;
  auto operator<=>(const Place&) const = default;
};

/// Uses of a slot by one group, between those by others.
struct Stay {
  int group = -1;
  /// Before its first use, and after its last.
  Place begin, end;
};

class Gradients {
 public:
  explicit Gradients(Draft& draft)
      : draft_(draft),
        stays_(draft.schedule.slice_slots.bytes.size()),
        last_(draft.facts().groups.size(), nullptr) {}

  void run() {
    for (std::size_t cell = 0; cell < draft_.before.size(); ++cell) {
      const auto& ops = draft_.before[cell];
      for (std::size_t i = 0; i < ops.size(); ++i)
        if (ops[i].kind == OpKind::reduce) use(ops[i].target, {cell, i}, {cell, i + 1});
      if (cell >= draft_.compute.size() || draft_.compute[cell].kind != OpKind::backward) continue;
      for (const int group : draft_.unit(draft_.compute[cell]).groups)
        if (draft_.schedule.gradient_slots.of_group[static_cast<std::size_t>(group)] < 0)
          use(group, {cell, ops.size()}, {cell + 1, 0});
    }
    for (auto& stays : stays_)
      for (const Stay& stay : stays) last_[static_cast<std::size_t>(stay.group)] = &stay;
    for (const auto& stays : stays_) move(stays);
    insert();
  }

 private:
  void use(int group, Place begin, Place end) {
    if (!draft_.schedule.lowers(group)) return;
    auto& stays = stays_[static_cast<std::size_t>(
        draft_.schedule.slice_slots.of_group[static_cast<std::size_t>(group)])];
    if (stays.empty() || stays.back().group != group) stays.push_back({group, begin, begin});
    stays.back().end = end;
  }

  /// One comes back as soon as the slot is free.
  void move(const std::vector<Stay>& stays) {
    std::vector<char> begun(last_.size(), 0);
    for (std::size_t i = 0; i < stays.size(); ++i) {
      const auto group = static_cast<std::size_t>(stays[i].group);
      if (std::exchange(begun[group], 1)) moved_[stays[i - 1].end].push_back(lift(stays[i].group));
      moved_[stays[i].end].push_back(lower(stays[i].group, &stays[i] == last_[group]));
    }
  }

  Op lower(int group, bool complete) const {
    const GroupFacts& facts = draft_.group(group);
    const bool narrower = complete && facts.reduced_bytes() > 0;
    Op op;
    op.kind = OpKind::lower, op.target = group, op.lane = OpLane::device_to_host;
    op.part = complete ? 1 : 0, op.bytes = narrower ? facts.reduced_bytes() : facts.gradient_bytes();
    return op;
  }
  Op lift(int group) const {
    Op op;
    op.kind = OpKind::lift, op.target = group, op.lane = OpLane::host_to_device;
    op.bytes = draft_.group(group).gradient_bytes();
    return op;
  }

  void insert() {
    for (auto moves = moved_.rbegin(); moves != moved_.rend(); ++moves) {
      auto& ops = draft_.before[moves->first.cell];
      ops.insert(ops.begin() + static_cast<std::ptrdiff_t>(moves->first.index), moves->second.begin(),
                 moves->second.end());
    }
  }

  Draft& draft_;
  /// Of each slot, in order.
  std::vector<std::vector<Stay>> stays_;
  /// Of each group.
  std::vector<const Stay*> last_;
  std::map<Place, std::vector<Op>> moved_;
};

}  // namespace

void move_gradients(Draft& draft) {
  Gradients(draft).run();
}

}  // namespace trireme::sharding::passes
