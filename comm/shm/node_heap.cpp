#include "comm/shm/node_heap.h"

#include <algorithm>
#include <array>
#include <bit>

#include <sched.h>

#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr std::uint32_t no_bytes_region = 1;
constexpr std::size_t regions_a_word = 64;

/// Ranks bound to one core each may together have many: so the masks of all ranks are joined.
int count_cores(Sharing& sharing) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof(mask), &mask);
  static_assert(sizeof(mask) % sizeof(std::uint64_t) == 0);
  const auto words = std::bit_cast<std::array<std::uint64_t, sizeof(mask) / sizeof(std::uint64_t)>>(mask);
  int cores = 0;
  for (const std::uint64_t word : words) {
    std::uint64_t joined = 0;
    for (const std::uint64_t other : sharing.exchange(word)) joined |= other;
    cores += std::popcount(joined);
  }
  return std::max(cores, 1);
}

}  // namespace

NodeHeap::NodeHeap(std::unique_ptr<Sharing> sharing)
    : sharing_(std::move(sharing)), cores_(count_cores(*sharing_)) {}

Buffer NodeHeap::allocate(std::size_t bytes) {
  std::uint32_t id = 0;
  const SharedSegment& segment = create(bytes, id);
  return Buffer(segment.parts[static_cast<std::size_t>(rank())], bytes, [heap = weak_from_this(), id] {
    if (const auto living = heap.lock()) living->release(id);
  });
}

std::shared_ptr<const SharedSegment> NodeHeap::share(std::size_t bytes) {
  std::uint32_t id = 0;
  const SharedSegment& segment = create(bytes, id);
  return {&segment, [heap = shared_from_this(), id](const SharedSegment*) { heap->release(id); }};
}

const SharedSegment& NodeHeap::create(std::size_t bytes, std::uint32_t& id) {
  std::lock_guard making(making_);
  drop_what_all_released();
  SharedSegment segment = sharing_->create(bytes);
  std::lock_guard lock(mutex_);
  id = next_id_++;
  regions_.push_back(std::make_unique<Region>(Region{id, std::move(segment)}));
  return regions_.back()->segment;
}

void NodeHeap::release(std::uint32_t id) {
  std::lock_guard lock(mutex_);
  for (auto& region : regions_)
    if (region->id == id) region->released = true;
}

void NodeHeap::drop_what_all_released() {
  std::uint64_t released = 0;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < std::min(regions_.size(), regions_a_word); ++i)
      if (regions_[i]->released) released |= std::uint64_t{1} << i;
  }
  for (const std::uint64_t others : sharing_->exchange(released)) released &= others;
  std::vector<std::unique_ptr<Region>> dropped;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = regions_a_word; i-- > 0;)
      if (released >> i & 1) {
        dropped.push_back(std::move(regions_[i]));
        regions_.erase(regions_.begin() + static_cast<std::ptrdiff_t>(i));
      }
  }
}

Reference NodeHeap::find(const void* data, std::size_t bytes) const {
  if (bytes == 0) return {no_bytes_region, 0, 0};
  const auto* first = static_cast<const std::byte*>(data);
  std::lock_guard lock(mutex_);
  for (const auto& region : regions_)
    for (std::size_t part = 0; part < region->segment.parts.size(); ++part) {
      const std::byte* base = region->segment.parts[part];
      const std::size_t size = region->segment.bytes[part];
      if (first >= base && bytes <= size && static_cast<std::size_t>(first - base) <= size - bytes)
        return {region->id, static_cast<std::uint32_t>(part), static_cast<std::uint64_t>(first - base)};
    }
  return {};
}

std::byte* NodeHeap::resolve(const Reference& reference) const {
  if (reference.region == no_bytes_region) return nullptr;
  std::lock_guard lock(mutex_);
  for (const auto& region : regions_)
    if (region->id == reference.region) return region->segment.parts[reference.part] + reference.offset;
  fail(ExitCode::internal, "a peer named shared region {} that this rank does not have", reference.region);
}

}  // namespace trireme::comm
