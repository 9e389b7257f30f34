#pragma once
#include <cstdint>
#include <memory>

#include "offload/host/pinned_source.h"

namespace trireme::offload {

/// What a pool holds now and held at most, in bytes.
struct PoolUse {
  struct Mark {
    std::size_t now = 0, most = 0;
  };
  Mark asked;     ///< what its users asked for
  Mark given;     ///< the same, rounded up to size classes
  Mark reserved;  ///< what it took from its source
  std::uint64_t allocations = 0;
  /// The part of what is reserved that nobody asked for.
  double fragmentation() const {
    return reserved.now == 0 ? 0.0 : 1.0 - static_cast<double>(asked.now) / static_cast<double>(reserved.now);
  }
};

struct PoolOptions {
  /// Blocks up to this size are cut from pieces, each as large as all before it together, from the least to
  /// this; larger blocks are taken from the source one by one.
  std::size_t piece_bytes = std::size_t{64} << 20;
  std::size_t least_piece_bytes = std::size_t{2} << 20;
};

/// Host memory by size class, eight classes to a doubling. A block that comes back serves the next of its
/// class; nothing returns to the source before the pool and the last block have gone. Any thread.
class Pool {
 public:
  explicit Pool(std::unique_ptr<PinnedSource> source, PoolOptions options = {});

  /// Starts at a page. Contents are whatever its last user left; zero at first use.
  Buffer allocate(std::size_t bytes);
  PoolUse use() const;
  std::string_view kind() const;

  /// The size of the class that serves `bytes`.
  static std::size_t class_of(std::size_t bytes);

 private:
  struct Store;
  std::shared_ptr<Store> store_;
};

}  // namespace trireme::offload
