#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "sharding/passes/passes.h"
#include "sharding/state_arrays.h"

namespace trireme::sharding::passes {
namespace {

/// Sizes within an eighth of each other share a ring.
std::uint64_t size_class(std::uint64_t bytes) {
  const int width = static_cast<int>(std::bit_width(bytes));
  const std::uint64_t step = std::uint64_t{1} << std::max(width - 4, 0);
  return (bytes + step - 1) / step * step;
}

std::uint64_t room_beside_drives(std::uint64_t bytes) {
  const std::uint64_t page = page_beside_drives(bytes);
  return (bytes + page - 1) / page * page;
}

std::vector<int> users(const ScheduleFacts& facts) {
  std::vector<int> count(facts.groups.size(), 0);
  for (const UnitFacts& unit : facts.units)
    for (const int group : unit.groups) ++count[static_cast<std::size_t>(group)];
  return count;
}

/// Whether no user of a group computes with another beside it.
bool used_alone(const ScheduleFacts& facts, int group) {
  return std::none_of(facts.units.begin(), facts.units.end(), [group](const UnitFacts& unit) {
    return unit.groups.size() > 1 &&
           std::find(unit.groups.begin(), unit.groups.end(), group) != unit.groups.end();
  });
}

template <typename Wants>
std::vector<SlotWish> wishes_in_order(const ScheduleFacts& facts, const Wants& wants) {
  const auto user_count = users(facts);
  std::vector<char> seen(facts.groups.size(), 0);
  std::vector<SlotWish> wishes;
  for (const UnitFacts& unit : facts.units) {
    for (const int index : unit.groups) {
      const auto i = static_cast<std::size_t>(index);
      if (std::exchange(seen[i], 1)) continue;
      // A cut tensor that stayed would take the room that cutting it saves; what a later user has beside it
      // might have the same slot.
      const bool cut = facts.groups[i].cut;
      SlotWish wish{index, 0, user_count[i] > 1 && !(cut && used_alone(facts, index)), cut};
      if (wants(facts.groups[i], wish)) wishes.push_back(wish);
    }
  }
  return wishes;
}

int unit_of(const ScheduleFacts& facts, int group) {
  const auto uses = [group](const UnitFacts& unit) {
    return std::find(unit.groups.begin(), unit.groups.end(), group) != unit.groups.end();
  };
  return static_cast<int>(std::find_if(facts.units.begin(), facts.units.end(), uses) - facts.units.begin());
}

/// Groups take turns in a ring, so that as many as fit stay in it.
std::vector<int> in_turns(const ScheduleFacts& facts, int depth, const std::vector<SlotWish>& members) {
  int most_in_a_unit = 1;
  for (const UnitFacts& unit : facts.units) {
    const auto mine = std::count_if(members.begin(), members.end(), [&](const SlotWish& wish) {
      return std::find(unit.groups.begin(), unit.groups.end(), wish.group) != unit.groups.end();
    });
    most_in_a_unit = std::max(most_in_a_unit, static_cast<int>(mine));
  }
  const int slots = std::min(static_cast<int>(members.size()), (depth + 1) * most_in_a_unit);
  std::vector<int> taken;
  for (int i = 0; i < static_cast<int>(members.size()); ++i) taken.push_back(i % slots);
  return taken;
}

/// The fewest slots in which no two groups meet whose units are within `depth` of each other.
std::vector<int> in_passing(const ScheduleFacts& facts, int depth, const std::vector<SlotWish>& members) {
  std::vector<int> taken, last_unit;
  for (const SlotWish& wish : members) {
    const int unit = unit_of(facts, wish.group);
    const auto free =
        std::find_if(last_unit.begin(), last_unit.end(), [&](int last) { return unit - last > depth; });
    taken.push_back(static_cast<int>(free - last_unit.begin()));
    if (free == last_unit.end()) {
      last_unit.push_back(unit);
    } else {
      *free = unit;
    }
  }
  return taken;
}

}  // namespace

SlotTable assign_slots(const ScheduleFacts& facts, int depth, const std::vector<SlotWish>& wishes,
                       SlotUse use) {
  SlotTable table;
  table.of_group.assign(facts.groups.size(), -1);
  std::map<std::uint64_t, std::vector<SlotWish>> rings;
  for (const SlotWish& wish : wishes)
    if (!wish.stays && !wish.rides) rings[size_class(wish.bytes)];
  for (const SlotWish& wish : wishes) {
    if (wish.stays) {
      table.of_group[static_cast<std::size_t>(wish.group)] = static_cast<int>(table.bytes.size());
      table.bytes.push_back(wish.bytes);
    } else {
      const std::uint64_t own = size_class(wish.bytes);
      const auto larger = wish.rides ? rings.lower_bound(own) : rings.end();
      (larger == rings.end() ? rings[own] : larger->second).push_back(wish);
    }
  }
  for (const auto& [size, members] : rings) {
    const std::vector<int> taken =
        use == SlotUse::kept ? in_turns(facts, depth, members) : in_passing(facts, depth, members);
    const int first = static_cast<int>(table.bytes.size());
    table.bytes.resize(
        table.bytes.size() + static_cast<std::size_t>(*std::max_element(taken.begin(), taken.end())) + 1, 0);
    for (std::size_t i = 0; i < members.size(); ++i) {
      const int slot = first + taken[i];
      table.of_group[static_cast<std::size_t>(members[i].group)] = slot;
      auto& bytes = table.bytes[static_cast<std::size_t>(slot)];
      bytes = std::max(bytes, members[i].bytes);
    }
  }
  return table;
}

void assign_parameter_slots(Schedule& schedule) {
  const auto wants = [](const GroupFacts& group, SlotWish& wish) {
    wish.bytes = group.bytes();
    wish.stays |= group.secondary == 1;
    return group.parameters > 1;
  };
  schedule.parameter_slots = assign_slots(schedule.facts, schedule.options.prefetch_depth,
                                          wishes_in_order(schedule.facts, wants), SlotUse::kept);
}

void assign_gradient_slots(Schedule& schedule) {
  const std::vector<int> user_count = users(schedule.facts);
  const bool vanish = schedule.options.gradients_vanish();
  const auto wants = [&](const GroupFacts& group, SlotWish& wish) {
    wish.bytes = group.elements * sizeof(float);
    // What is applied at once must be whole when it is reduced.
    wish.stays |= vanish && user_count[static_cast<std::size_t>(wish.group)] > 1;
    return group.trainable && group.gradients > 1;
  };
  schedule.gradient_slots = assign_slots(schedule.facts, schedule.options.reduce_depth,
                                         wishes_in_order(schedule.facts, wants), SlotUse::passed);
}

void assign_slice_slots(Schedule& schedule) {
  const std::vector<int> user_count = users(schedule.facts);
  const bool vanish = schedule.options.gradients_vanish();
  const auto wants = [&](const GroupFacts& group, SlotWish& wish) {
    wish.stays |= vanish && user_count[static_cast<std::size_t>(wish.group)] > 1;
    wish.bytes = group.trainable ? group.gradient_bytes() + group.reduced_bytes() : 0;
    return group.trainable && (vanish || schedule.options.lowers(group));
  };
  schedule.slice_slots = assign_slots(schedule.facts, schedule.options.reduce_depth,
                                      wishes_in_order(schedule.facts, wants), SlotUse::passed);
}

void assign_home_slots(Schedule& schedule) {
  const auto wants = [](const GroupFacts& group, SlotWish& wish) {
    wish.bytes = room_beside_drives(group.home_bytes());
    // What is gathered from the slot is done with it at once.
    wish.stays &= group.parameters == 1;
    return group.on_drive();
  };
  schedule.home_slots = assign_slots(schedule.facts, schedule.options.prefetch_depth,
                                     wishes_in_order(schedule.facts, wants), SlotUse::kept);
}

void assign_refresh_slots(Schedule& schedule) {
  const auto wants = [](const GroupFacts& group, SlotWish& wish) {
    wish.bytes = room_beside_drives(group.home_bytes());
    wish.stays = false;
    return group.trainable && group.on_drive() && !group.update_writes_home();
  };
  // Each goes to the drive before the next one is gathered.
  schedule.refresh_slots =
      assign_slots(schedule.facts, 0, wishes_in_order(schedule.facts, wants), SlotUse::kept);
}

}  // namespace trireme::sharding::passes
