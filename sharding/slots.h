#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "comm/buffer.h"
#include "sharding/array_lane.h"
#include "sharding/group_state.h"
#include "sharding/schedule.h"

namespace trireme::sharding {

/// Fixed buffers that groups take in turn. Each carries a tag: whose parameters it holds and of which
/// generation (how often they had been updated), so that a slot refilled wrongly between forward and backward
/// is caught: autograd itself would notice nothing.
class Slots {
 public:
  /// `lane`: what the memory is cleared by.
  Slots(const SlotTable& table, const Allocate& allocate, ArrayLane& lane);

  bool has(int group) const { return table_.of_group[static_cast<std::size_t>(group)] >= 0; }
  void* data(int group) const { return buffers_[index(group)].data(); }
  void filled(int group, std::uint64_t generation) { tags_[index(group)] = {group, generation}; }
  void dropped(int group) { tags_[index(group)] = {}; }
  /// Throws an internal error unless the group's slot holds the group's parameters of this generation.
  void check(int group, std::uint64_t generation, std::string_view group_name, std::string_view user) const;
  std::size_t bytes() const;

 private:
  struct Tag {
    int group = -1;
    std::uint64_t generation = 0;
  };
  std::size_t index(int group) const {
    return static_cast<std::size_t>(table_.of_group[static_cast<std::size_t>(group)]);
  }

  SlotTable table_;
  std::vector<comm::Buffer> buffers_;
  std::vector<Tag> tags_;
};

}  // namespace trireme::sharding
