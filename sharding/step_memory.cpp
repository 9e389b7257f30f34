#include "sharding/step_memory.h"

#include <algorithm>
#include <iterator>

#include <sys/mman.h>

namespace trireme::sharding {
namespace {

constexpr std::size_t line = 64, page = 4096;

std::size_t whole(std::size_t bytes, std::size_t of) {
  return (bytes + of - 1) / of * of;
}

}  // namespace

StepMemory::~StepMemory() {
  for (const Region& region : regions_) ::munmap(region.begin, region.bytes);
}

std::size_t StepMemory::region_of(const std::byte* piece) const {
  const auto found = std::find_if(regions_.begin(), regions_.end(), [&](const Region& region) {
    return piece >= region.begin && piece < region.begin + region.bytes;
  });
  return static_cast<std::size_t>(found - regions_.begin());
}

StepMemory::Free::const_iterator StepMemory::fitting(std::size_t bytes) const {
  return std::find_if(free_.begin(), free_.end(), [&](const auto& range) { return range.second >= bytes; });
}

bool StepMemory::add_region(std::size_t bytes) {
  const std::size_t reserved = std::max(region_bytes_, whole(bytes, page));
  void* begin =
      ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (begin == MAP_FAILED) return false;
  ::madvise(begin, reserved, MADV_HUGEPAGE);
  regions_.push_back({static_cast<std::byte*>(begin), reserved, 0});
  free_.emplace(static_cast<std::byte*>(begin), reserved);
  return true;
}

void* StepMemory::take(std::size_t wanted) {
  const std::size_t bytes = whole(wanted, line);
  auto range = fitting(bytes);
  if (range == free_.end()) {
    if (!add_region(bytes)) return nullptr;
    range = fitting(bytes);
  }
  const auto [piece, room] = *range;
  free_.erase(range);
  if (room > bytes) free_.emplace(piece + bytes, room - bytes);
  Region& region = regions_[region_of(piece)];
  region.touched = std::max(region.touched, static_cast<std::size_t>(piece + bytes - region.begin));
  return piece;
}

void StepMemory::give_back(void* piece, std::size_t wanted) {
  auto* begin = static_cast<std::byte*>(piece);
  std::size_t bytes = whole(wanted, line);
  const Region& region = regions_[region_of(begin)];
  auto next = free_.lower_bound(begin);
  if (next != free_.end() && next->first == begin + bytes && next->first < region.begin + region.bytes) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == begin && before->first >= region.begin) {
      before->second += bytes;
      return;
    }
  }
  free_.emplace(begin, bytes);
}

std::size_t StepMemory::touched() const {
  std::size_t sum = 0;
  for (const Region& region : regions_) sum += region.touched;
  return sum;
}

bool StepMemory::would_grow(std::size_t wanted) const {
  const std::size_t bytes = whole(wanted, line);
  const auto range = fitting(bytes);
  if (range == free_.end()) return true;
  const Region& region = regions_[region_of(range->first)];
  return range->first + bytes > region.begin + region.touched;
}

void StepMemory::drop_free_pages() {
  for (const auto& [begin, bytes] : free_) {
    Region& region = regions_[region_of(begin)];
    // Whole huge pages only: cutting one in two would cost more than it saves.
    constexpr std::size_t huge = std::size_t{1} << 21;
    const auto first = whole(reinterpret_cast<std::size_t>(begin), huge),
               last = reinterpret_cast<std::size_t>(begin + bytes) / huge * huge;
    if (first < last)
      ::madvise(begin + (first - reinterpret_cast<std::size_t>(begin)), last - first, MADV_DONTNEED);
    if (begin + bytes == region.begin + region.bytes)
      region.touched = std::min(region.touched, static_cast<std::size_t>(begin - region.begin));
  }
}

}  // namespace trireme::sharding
