#include "sharding/state_pipe.h"

#include <algorithm>
#include <exception>

#include "core/error.h"

namespace trireme::sharding {
namespace {

/// Where a transfer around the page cache may begin.
constexpr std::uint64_t sector = 4096;

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

StatePipe::StatePipe(std::vector<StateArrays> groups, const std::vector<std::size_t>& parameters,
                     const TierOptions& options, offload::Pool& pool)
    : groups_(std::move(groups)), part_elements_(options.part_elements) {
  std::uint64_t end = 0;
  const auto place = [&end](std::size_t bytes) {
    const Region region{end, bytes};
    end = round_up(end + bytes, sector);
    return region;
  };
  std::size_t buffer_bytes = 0;
  for (const StateArrays& group : groups_) {
    regions_.emplace_back();
    std::size_t together = 0;
    for (std::size_t kind = 0; kind < group.kinds.size(); ++kind) {
      regions_.back().push_back(place(group.bytes(kind)));
      const std::int64_t longest = std::min(part_elements_, group.elements);
      const StateKind& array = group.kinds[kind];
      together +=
          round_up(static_cast<std::uint64_t>((longest + array.elements_each - 1) / array.elements_each) *
                       size_of(array.dtype),
                   sector);
    }
    buffer_bytes = std::max(buffer_bytes, together);
  }
  for (const std::size_t bytes : parameters) parameters_.push_back(bytes > 0 ? place(bytes) : Region{});
  volume_ = std::make_unique<offload::Volume>(options.nvme_paths, end);
  map_ = std::make_shared<Buffer>(volume_->map());
  engine_ =
      std::make_unique<offload::Engine>(offload::make_backend(options.nvme_backend, options.nvme_depth));
  engine_->register_volume(*volume_);
  if (buffer_bytes == 0) return;
  for (int i = 0; i < options.parts_in_memory; ++i) {
    slots_.push_back({pool.allocate(buffer_bytes), {}, {}});
    engine_->register_memory({slots_.back().memory.as<std::byte>(), buffer_bytes});
  }
}

StatePipe::~StatePipe() = default;

Buffer StatePipe::mapped(const Region& region) const {
  return Buffer(map_->as<std::byte>() + region.offset, region.bytes, [map = map_] {});
}

Buffer StatePipe::array(int group, std::size_t kind) const {
  return mapped(region(group, kind));
}

Buffer StatePipe::parameters(int group) const {
  return mapped(parameters_[static_cast<std::size_t>(group)]);
}

StatePipe::Region StatePipe::part_of(int group, std::size_t kind, int part) const {
  const StateArrays& arrays = groups_[static_cast<std::size_t>(group)];
  const Region& whole = region(group, kind);
  const std::size_t begin = arrays.offset(kind, part * part_elements_);
  const bool last = (part + 1) * part_elements_ >= arrays.elements;
  const std::size_t end = last ? whole.bytes : arrays.offset(kind, (part + 1) * part_elements_);
  return {whole.offset + begin, end - begin};
}

void StatePipe::settle(Slot& slot) {
  std::exception_ptr failure;
  for (const Event& event : slot.moving) {
    try {
      event.wait();
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  slot.moving.clear();
  if (failure) std::rethrow_exception(failure);
}

void StatePipe::fetch(int group, int part, int slot_index) {
  Slot& slot = slots_[static_cast<std::size_t>(slot_index)];
  settle(slot);
  slot.arrays.clear();
  std::byte* at = slot.memory.as<std::byte>();
  for (std::size_t kind = 0; kind < groups_[static_cast<std::size_t>(group)].kinds.size(); ++kind) {
    const Region from = part_of(group, kind, part);
    slot.arrays.push_back(at);
    slot.moving.push_back(engine_->read(*volume_, from.offset, {at, from.bytes}));
    at += round_up(from.bytes, sector);
  }
}

const std::vector<std::byte*>& StatePipe::arrived(int slot_index) {
  Slot& slot = slots_[static_cast<std::size_t>(slot_index)];
  settle(slot);
  return slot.arrays;
}

void StatePipe::spill(int group, int part, int slot_index) {
  Slot& slot = slots_[static_cast<std::size_t>(slot_index)];
  for (std::size_t kind = 0; kind < slot.arrays.size(); ++kind) {
    const Region into = part_of(group, kind, part);
    slot.moving.push_back(engine_->write(*volume_, into.offset, {slot.arrays[kind], into.bytes}));
  }
}

void StatePipe::drain() {
  std::exception_ptr failure;
  for (Slot& slot : slots_) {
    try {
      settle(slot);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace trireme::sharding
