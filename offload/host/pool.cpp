#include "offload/host/pool.h"

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <vector>

namespace trireme::offload {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t classes_per_doubling = 8;

void grow(PoolUse::Mark& mark, std::size_t bytes) {
  mark.now += bytes;
  mark.most = std::max(mark.most, mark.now);
}

}  // namespace

struct Pool::Store {
  Store(std::unique_ptr<PinnedSource> from, PoolOptions how) : source(std::move(from)), options(how) {}

  std::byte* take(std::size_t bytes) {
    auto& blocks = free[bytes];
    if (!blocks.empty()) {
      std::byte* block = blocks.back();
      blocks.pop_back();
      return block;
    }
    if (bytes > options.piece_bytes) return reserve(bytes);
    if (bytes > rest_bytes) {
      const std::size_t least = std::min(options.least_piece_bytes, options.piece_bytes);
      rest_bytes = std::max(bytes, std::clamp(use.reserved.now, least, options.piece_bytes));
      rest = reserve(rest_bytes);
    }
    std::byte* block = rest;
    rest += bytes, rest_bytes -= bytes;
    return block;
  }
  std::byte* reserve(std::size_t bytes) {
    pieces.push_back(source->reserve(bytes));
    grow(use.reserved, pieces.back().bytes());
    return pieces.back().as<std::byte>();
  }

  mutable std::mutex mutex;
  std::unique_ptr<PinnedSource> source;
  PoolOptions options;
  std::vector<Buffer> pieces;
  std::byte* rest = nullptr;
  std::size_t rest_bytes = 0;
  std::map<std::size_t, std::vector<std::byte*>> free;
  PoolUse use;
};

Pool::Pool(std::unique_ptr<PinnedSource> source, PoolOptions options)
    : store_(std::make_shared<Store>(std::move(source), options)) {}

std::size_t Pool::class_of(std::size_t bytes) {
  if (bytes <= page) return page;
  const std::size_t step = std::max(std::bit_floor(bytes - 1) / classes_per_doubling, page);
  return (bytes + step - 1) / step * step;
}

Buffer Pool::allocate(std::size_t bytes) {
  const std::lock_guard lock(store_->mutex);
  // Large blocks live as long as the job: rounding them up to a class would only lock memory for nothing.
  const bool large = bytes > store_->options.piece_bytes;
  const std::size_t given = large ? (bytes + page - 1) / page * page : class_of(bytes);
  std::byte* block = store_->take(given);
  PoolUse& use = store_->use;
  grow(use.asked, bytes), grow(use.given, given);
  ++use.allocations;
  return Buffer(block, bytes, [store = store_, block, bytes, given] {
    const std::lock_guard release(store->mutex);
    store->free[given].push_back(block);
    store->use.asked.now -= bytes, store->use.given.now -= given;
  });
}

PoolUse Pool::use() const {
  const std::lock_guard lock(store_->mutex);
  return store_->use;
}

std::string_view Pool::kind() const {
  const std::lock_guard lock(store_->mutex);
  return store_->source->kind();
}

}  // namespace trireme::offload
