#include "sharding/state_slice.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "comm/simd/copy.h"
#include "core/error.h"
#include "offload/optimizer/halves.h"

namespace trireme::sharding {
namespace {

/// Values on their way between halves and bytes at any address.
using Block = std::array<float, 1024>;

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

void StateSlice::read(std::size_t at, std::span<std::byte> into) const {
  if (data) {
    std::memcpy(into.data(), data + at, into.size());
    return;
  }
  Block values;
  while (!into.empty()) {
    const std::size_t first = at / sizeof(float), within = at % sizeof(float);
    const std::size_t elements =
        std::min(values.size(), (within + into.size() + sizeof(float) - 1) / sizeof(float));
    halves.from(static_cast<std::int64_t>(first)).read(values.data(), static_cast<std::int64_t>(elements));
    const std::size_t taken = std::min(into.size(), elements * sizeof(float) - within);
    std::memcpy(into.data(), reinterpret_cast<const std::byte*>(values.data()) + within, taken);
    into = into.subspan(taken), at += taken;
  }
}

void StateSlice::read_past_caches(std::byte* into) const {
  if (data) return comm::simd::copy_past_caches(into, data, bytes());
  offload::join_past_caches(halves.nearest, halves.lower, reinterpret_cast<float*>(into), count);
}

void StateSlice::write(std::size_t at, std::span<const std::byte> from) const {
  if (data) {
    std::memcpy(data + at, from.data(), from.size());
    return;
  }
  require(at % sizeof(float) == 0 && from.size() % sizeof(float) == 0,
          "bytes [{}, {} + {}) are not whole masters", at, at, from.size());
  Block values;
  while (!from.empty()) {
    const std::size_t taken = std::min(sizeof(values), from.size());
    std::memcpy(values.data(), from.data(), taken);
    halves.from(static_cast<std::int64_t>(at / sizeof(float)))
        .write(values.data(), static_cast<std::int64_t>(taken / sizeof(float)));
    from = from.subspan(taken), at += taken;
  }
}

std::vector<std::span<std::byte>> StateSlice::memory() const {
  if (data) return {{data, bytes()}};
  const std::size_t each = static_cast<std::size_t>(count) * sizeof(std::uint16_t);
  return {{reinterpret_cast<std::byte*>(halves.nearest), each},
          {reinterpret_cast<std::byte*>(halves.lower), each}};
}

}  // namespace trireme::sharding
