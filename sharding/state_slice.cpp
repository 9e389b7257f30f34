#include "sharding/state_slice.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "comm/simd/copy.h"
#include "core/error.h"
#include "offload/optimizer/halves.h"
#include "sharding/array_lane.h"
#include "sharding/state_pipe.h"

namespace trireme::sharding {
namespace {

constexpr std::size_t handed_on_at_once = std::size_t{16} << 20;

/// Values on their way between halves and bytes at any address: few where they stay in the caches, many where
/// each way there takes its time.
std::vector<float> block_of(bool from_afar) {
  constexpr std::size_t in_caches = 1024, at_once = std::size_t{1} << 18;
  return std::vector<float>(from_afar ? at_once : in_caches);
}

}  // namespace

StateSlice StateSlice::part(std::int64_t at, std::int64_t elements) const {
  StateSlice part = *this;
  part.begin += at, part.count = elements;
  if (data) {
    part.data += at * static_cast<std::int64_t>(size_of(dtype));
  } else {
    part.halves = halves.from(at);
  }
  return part;
}

bool StateSlice::on_nvme() const {
  if (!pipe) return false;
  return data ? pipe->holds(data) : pipe->holds(halves.nearest) || pipe->holds(halves.lower);
}

void StateSlice::fetch(void* into, const void* from, std::size_t count) const {
  if (pipe && pipe->holds(from)) return pipe->read(into, from, count);
  if (lane) return lane->read(into, from, count);
  std::memcpy(into, from, count);
}

void StateSlice::read(std::size_t at, std::span<std::byte> into) const {
  if (data) return fetch(into.data(), data + at, into.size());
  const bool from_afar = lane || on_nvme();
  std::vector<float> values = block_of(from_afar);
  while (!into.empty()) {
    const std::size_t first = at / sizeof(float), within = at % sizeof(float);
    const std::size_t elements =
        std::min(values.size(), (within + into.size() + sizeof(float) - 1) / sizeof(float));
    const MasterValues here = halves.from(static_cast<std::int64_t>(first));
    const auto count_here = static_cast<std::int64_t>(elements);
    if (from_afar)
      here.read(values.data(), count_here, [this](auto... copy) { fetch(copy...); });
    else
      here.read(values.data(), count_here);
    const std::size_t taken = std::min(into.size(), elements * sizeof(float) - within);
    std::memcpy(into.data(), reinterpret_cast<const std::byte*>(values.data()) + within, taken);
    into = into.subspan(taken), at += taken;
  }
}

void StateSlice::read_past_caches(std::byte* into) const {
  if (lane || on_nvme()) return read(0, {into, bytes()});
  if (data) return comm::simd::copy_past_caches(into, data, bytes());
  offload::join_past_caches(halves.nearest, halves.lower, reinterpret_cast<float*>(into), count);
}

void StateSlice::write(std::size_t at, std::span<const std::byte> from) const {
  if (data) {
    if (lane) return lane->write(data + at, from.data(), from.size());
    std::memcpy(data + at, from.data(), from.size());
    return;
  }
  require(at % sizeof(float) == 0 && from.size() % sizeof(float) == 0,
          "bytes [{}, {} + {}) are not whole masters", at, at, from.size());
  std::vector<float> values = block_of(lane != nullptr);
  while (!from.empty()) {
    const std::size_t taken = std::min(values.size() * sizeof(float), from.size());
    std::memcpy(values.data(), from.data(), taken);
    halves.from(static_cast<std::int64_t>(at / sizeof(float)))
        .write(values.data(), static_cast<std::int64_t>(taken / sizeof(float)), lane);
    from = from.subspan(taken), at += taken;
  }
}

std::span<std::byte> StateSlice::in_host_memory() const {
  if (!data || lane || on_nvme()) return {};
  return {data, bytes()};
}

void StateSlice::hand_on(comm::Communicator& ranks, int from) const {
  if (ranks.size() == 1) return;
  const auto broadcast = [&](void* memory, std::size_t bytes) {
    ranks.broadcast(memory, bytes, DType::u8, from);
  };
  if (!lane && data) return broadcast(data, bytes());
  if (!lane) {
    const std::size_t each = static_cast<std::size_t>(count) * sizeof(std::uint16_t);
    broadcast(halves.nearest, each);
    return broadcast(halves.lower, each);
  }
  std::vector<std::byte> values(std::min(bytes(), handed_on_at_once));
  for (std::size_t at = 0; at < bytes(); at += values.size()) {
    const auto part = std::span(values).first(std::min(values.size(), bytes() - at));
    if (ranks.rank() == from) read(at, part);
    broadcast(part.data(), part.size());
    if (ranks.rank() != from) write(at, part);
  }
}

}  // namespace trireme::sharding
