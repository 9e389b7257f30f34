#include "sharding/state_memory.h"

#include "core/error.h"

namespace trireme::sharding {
namespace {

std::size_t whole_lines(std::size_t bytes) {
  constexpr std::size_t cache_line = 64;
  return (bytes + cache_line - 1) / cache_line * cache_line;
}

}  // namespace

StateMemory::StateMemory(const Blueprint& blueprint, const Optimizer& optimizer, ArrayLane& lane) {
  std::size_t bytes = 0;
  for (int group = 0; group < static_cast<int>(blueprint.facts.groups.size()); ++group) {
    if (blueprint.group(group).state_tier != Tier::device) continue;
    const StateArrays arrays = state_arrays(blueprint, group, optimizer);
    for (std::size_t kind = arrays.master ? 1 : 0; kind < arrays.kinds.size(); ++kind)
      bytes += whole_lines(arrays.bytes(kind));
  }
  if (bytes > 0) whole_ = std::make_shared<comm::Buffer>(zeroed_array(lane, bytes));
}

comm::Buffer StateMemory::take(std::size_t bytes) {
  const std::size_t begin = used_;
  used_ += whole_lines(bytes);
  require(whole_ && used_ <= whole_->bytes(), "{} bytes of optimizer state were not foreseen", bytes);
  return comm::Buffer(whole_->as<std::byte>() + begin, bytes, [whole = whole_] {});
}

}  // namespace trireme::sharding
