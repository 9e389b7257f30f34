#include "sharding/master_values.h"

#include <algorithm>
#include <vector>

#include "offload/optimizer/halves.h"
#include "sharding/array_lane.h"

namespace trireme::sharding {
namespace {

/// Halves on their way to and from what is not the host's memory.
struct HostHalves {
  explicit HostHalves(std::int64_t count)
      : nearest(static_cast<std::size_t>(count)), lower(static_cast<std::size_t>(count)) {}
  std::size_t bytes() const { return nearest.size() * sizeof(BFloat16); }
  std::vector<BFloat16> nearest;
  std::vector<std::uint16_t> lower;
};

}  // namespace

MasterValues MasterValues::from(std::int64_t at) const {
  if (whole) return {whole + at, nullptr, nullptr};
  return {nullptr, nearest + at, lower + at};
}

void MasterValues::read(float* into, std::int64_t count, ArrayLane* lane) const {
  if (!lane)
    return whole ? void(std::copy_n(whole, count, into)) : offload::join(nearest, lower, into, count);
  read(into, count, [lane](void* to, const void* from, std::size_t bytes) { lane->read(to, from, bytes); });
}

void MasterValues::read(float* into, std::int64_t count, const Fetch& fetch) const {
  if (whole) return fetch(into, whole, static_cast<std::size_t>(count) * sizeof(float));
  HostHalves halves(count);
  fetch(halves.nearest.data(), nearest, halves.bytes());
  fetch(halves.lower.data(), lower, halves.bytes());
  offload::join(halves.nearest.data(), halves.lower.data(), into, count);
}

void MasterValues::write(const float* values, std::int64_t count, ArrayLane* lane) const {
  if (!lane)
    return whole ? void(std::copy_n(values, count, whole)) : offload::split(values, nearest, lower, count);
  if (whole) return lane->write(whole, values, static_cast<std::size_t>(count) * sizeof(float));
  HostHalves halves(count);
  offload::split(values, halves.nearest.data(), halves.lower.data(), count);
  lane->write(nearest, halves.nearest.data(), halves.bytes());
  lane->write(lower, halves.lower.data(), halves.bytes());
}

}  // namespace trireme::sharding
