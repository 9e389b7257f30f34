#include "sharding/state_pipe.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>

#include "core/error.h"
#include "sharding/arrays.h"

namespace trireme::sharding {
namespace {

constexpr std::size_t read_at_once = std::size_t{1} << 20, pieces_ahead = 4;

}  // namespace

StatePipe::StatePipe(std::vector<PipedGroup> groups, Buffer meeting, const TierOptions& options,
                     offload::Pool& pool)
    : groups_(std::move(groups)),
      part_elements_(options.part_elements),
      loading_(groups_.size(), Event::already_set()) {
  std::uint64_t end = 0;
  const auto place = [&end](Array array) {
    array.offset = end;
    end = in_sectors(end + array.bytes());
    return array;
  };
  std::size_t buffer_bytes = 0;
  for (const PipedGroup& group : groups_) {
    auto& states = states_.emplace_back();
    std::size_t together = 0;
    for (const StateKind& kind : group.state.kinds) {
      states.push_back(place({kind.dtype, kind.elements_each, 0, group.state.elements}));
      together += room_of(states.back());
    }
    parameters_.push_back(
        place({group.stored, 1, group.first_parameter, group.parameters, 0, group.reads_parameters}));
    if (group.updates_parameters) together += room_of(parameters_.back());
    buffer_bytes = std::max(buffer_bytes, together);
  }
  volume_ = std::make_unique<offload::Volume>(options.nvme_paths, end);
  map_ = std::make_shared<Buffer>(volume_->map());
  offload::EngineOptions engine;
  engine.around_page_cache = moves_whole_sectors();
  // Parameters are moved to and from a device's own memory. All else of the pipe lies in the host's.
  Device* device = meeting.data() ? options.device : nullptr;
  engine_ = std::make_unique<offload::Engine>(
      offload::make_backend(options.nvme_backend, options.nvme_depth, device, std::move(meeting)), engine);
  engine_->register_volume(*volume_);
  if (buffer_bytes == 0) return;
  for (int i = 0; i < options.parts_in_memory; ++i) {
    slots_.push_back({pool.allocate(buffer_bytes), {}, {}});
    register_memory({slots_.back().memory.as<std::byte>(), buffer_bytes});
  }
}

StatePipe::~StatePipe() = default;

bool StatePipe::moves_whole_sectors() const {
  const auto whole = [this](const Array& array) {
    const bool in_one_part = array.first + array.elements <= part_elements_;
    return array.bytes_to(array.first) % sector == 0 &&
           (in_one_part || array.bytes_to(part_elements_) % sector == 0);
  };
  for (std::size_t group = 0; group < groups_.size(); ++group)
    if (!std::ranges::all_of(states_[group], whole) ||
        (groups_[group].updates_parameters && !whole(parameters_[group])))
      return false;
  return true;
}

std::size_t StatePipe::room_of(const Array& array) const {
  return in_sectors(array.bytes_to(std::min(part_elements_, array.first + array.elements)));
}

Buffer StatePipe::mapped(const Array& array) const {
  return Buffer(map_->as<std::byte>() + array.offset, array.bytes(), [map = map_] {});
}

Buffer StatePipe::array(int group, std::size_t kind) const {
  return mapped(states_[static_cast<std::size_t>(group)][kind]);
}

Buffer StatePipe::parameters(int group) const {
  return mapped(parameters_[static_cast<std::size_t>(group)]);
}

bool StatePipe::holds(const void* mapped) const {
  const auto* begin = map_->as<const std::byte>();
  return std::greater_equal<>()(mapped, begin) && std::less<>()(mapped, begin + map_->bytes());
}

void StatePipe::read(void* into, const void* mapped, std::size_t bytes) {
  const std::lock_guard lock(reading_);
  struct Piece {
    Event there;
    const std::byte* from = nullptr;
    std::size_t bytes = 0;
  };
  std::deque<Piece> moving;
  auto offset =
      static_cast<std::uint64_t>(static_cast<const std::byte*>(mapped) - map_->as<const std::byte>());
  auto* next = static_cast<std::byte*>(into);
  const std::uint64_t end = offset + bytes;
  std::exception_ptr failure;
  if (!ahead_.data()) ahead_ = host_buffer(pieces_ahead * read_at_once);
  for (std::size_t number = 0; offset < end || !moving.empty();) {
    if (offset < end && moving.size() < pieces_ahead && !failure) {
      std::byte* const memory = ahead_.as<std::byte>() + number++ % pieces_ahead * read_at_once;
      const std::uint64_t before = offset % sector;
      const std::uint64_t count = std::min(end - offset, read_at_once - before);
      const std::size_t whole = in_sectors(before + count);
      moving.push_back({engine_->read(*volume_, offset - before, {memory, whole}), memory + before, count});
      offset += count;
      continue;
    }
    const Piece piece = moving.front();
    moving.pop_front();
    try {
      piece.there.wait();
    } catch (...) {
      if (!failure) failure = std::current_exception();
      offset = end;
      continue;
    }
    std::memcpy(next, piece.from, piece.bytes);
    next += piece.bytes;
  }
  if (failure) std::rethrow_exception(failure);
}

StatePipe::Cut StatePipe::cut(const Array& array, int part) const {
  const std::int64_t from = part * part_elements_, last = array.first + array.elements;
  const std::int64_t begin = std::max(from, array.first), end = std::min(from + part_elements_, last);
  if (begin >= end) return {};
  Cut cut{array.offset + array.bytes_to(begin - array.first), array.bytes_to(end - begin),
          array.bytes_to(begin - from)};
  // An array's last sector is its own, and so is that of its room in a buffer.
  if (end == last && cut.behind % sector == 0 && cut.offset % sector == 0) cut.bytes = in_sectors(cut.bytes);
  return cut;
}

template <typename Move>
void StatePipe::for_each_array(int group, int part, const StagedPart& staged, const Move& move) const {
  const auto g = static_cast<std::size_t>(group);
  const auto one = [&](const Array& array, std::byte* data) {
    const Cut part_of_it = cut(array, part);
    if (part_of_it.bytes > 0) move(array, data + part_of_it.behind, part_of_it);
  };
  for (std::size_t kind = 0; kind < staged.states.size(); ++kind) one(states_[g][kind], staged.states[kind]);
  if (staged.parameters) one(parameters_[g], staged.parameters);
}

void StatePipe::settle(std::vector<Event>& moving) {
  std::exception_ptr failure;
  for (const Event& event : moving) {
    try {
      event.wait();
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  moving.clear();
  if (failure) std::rethrow_exception(failure);
}

void StatePipe::fetch(int group, int part, int slot_index) {
  const auto g = static_cast<std::size_t>(group);
  Slot& slot = slots_[static_cast<std::size_t>(slot_index)];
  // The lane goes on: what waits for this buffer's writes is the drive.
  const std::vector<Event> written = slot.moving;
  slot.part = {};
  std::byte* at = slot.memory.as<std::byte>();
  for (const Array& array : states_[g]) {
    slot.part.states.push_back(at);
    at += room_of(array);
  }
  if (groups_[g].updates_parameters) slot.part.parameters = at;
  for_each_array(group, part, slot.part, [&](const Array& array, std::byte* data, const Cut& from) {
    if (array.is_read)
      slot.moving.push_back(engine_->read(*volume_, from.offset, {data, from.bytes}, written));
  });
}

const StagedPart& StatePipe::arrived(int slot_index) {
  Slot& slot = slots_[static_cast<std::size_t>(slot_index)];
  settle(slot.moving);
  return slot.part;
}

void StatePipe::spill(int group, int part, int slot_index) {
  Slot& slot = slots_[static_cast<std::size_t>(slot_index)];
  for_each_array(group, part, slot.part, [&](const Array&, std::byte* data, const Cut& into) {
    slot.moving.push_back(engine_->write(*volume_, into.offset, {data, into.bytes}));
  });
}

void StatePipe::load(int group, std::byte* into, const DeviceEvent* point) {
  const Array& array = parameters_[static_cast<std::size_t>(group)];
  const std::span<std::byte> room(into, in_sectors(array.bytes()));
  loading_[static_cast<std::size_t>(group)] = point ? engine_->read(*volume_, array.offset, room, *point)
                                                    : engine_->read(*volume_, array.offset, room);
}

void StatePipe::loaded(int group) {
  loading_[static_cast<std::size_t>(group)].wait();
}

void StatePipe::store(int group, const std::byte* from, const DeviceEvent* point) {
  const Array& array = parameters_[static_cast<std::size_t>(group)];
  const std::span<const std::byte> whole(from, in_sectors(array.bytes()));
  (point ? engine_->write(*volume_, array.offset, whole, *point)
         : engine_->write(*volume_, array.offset, whole))
      .wait();
}

void StatePipe::drain() {
  std::exception_ptr failure;
  const auto wait_for = [&](std::vector<Event>& moving) {
    try {
      settle(moving);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  };
  for (Slot& slot : slots_) wait_for(slot.moving);
  std::vector<Event> loading(loading_.size(), Event::already_set());
  loading.swap(loading_);
  wait_for(loading);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace trireme::sharding
