#include "sharding/predict/ring.h"

#include <algorithm>

#include "sharding/room.h"

namespace trireme::sharding {

std::uint64_t part_bytes(const ScheduleFacts& facts) {
  std::uint64_t most = 0;
  for (const GroupFacts& group : facts.groups) most = std::max(most, group.part_bytes);
  return most;
}

int parts_with_room(const ScheduleFacts& facts, const ScheduleOptions& options, std::uint64_t left) {
  const std::uint64_t part = part_bytes(facts);
  if (part == 0 || options.update_when_reduced) return options.parts_in_memory;
  std::int64_t all = 0;
  for (const GroupFacts& group : facts.groups)
    if (group.trainable) all += group.update_parts;
  const std::int64_t more = all - options.parts_in_memory;
  if (more <= 0) return options.parts_in_memory;
  const std::uint64_t fitting = (left / 2 - std::min(left / 2, beside_the_steps)) / part;
  return options.parts_in_memory + static_cast<int>(std::min(fitting, static_cast<std::uint64_t>(more)));
}

}  // namespace trireme::sharding
