#include "sharding/slots.h"

#include "core/error.h"

namespace trireme::sharding {

Slots::Slots(const SlotTable& table, const Allocate& allocate, ArrayLane& lane)
    : table_(table), tags_(table.bytes.size()) {
  for (const std::uint64_t bytes : table.bytes) {
    buffers_.push_back(allocate(bytes));
    lane.clear(buffers_.back().data(), bytes);
  }
}

void Slots::check(int group, std::uint64_t generation, std::string_view group_name,
                  std::string_view user) const {
  const Tag& tag = tags_[index(group)];
  require(tag.group == group, "{}: slot {} holds group {} where {} should be", user, index(group), tag.group,
          group_name);
  require(tag.generation == generation,
          "{}: slot {} holds {} of generation {}, but its parameters are of generation {}", user,
          index(group), group_name, tag.generation, generation);
}

std::size_t Slots::bytes() const {
  std::size_t total = 0;
  for (const comm::Buffer& buffer : buffers_) total += buffer.bytes();
  return total;
}

}  // namespace trireme::sharding
