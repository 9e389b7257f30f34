#pragma once
#include <cstddef>
#include <map>
#include <vector>

namespace trireme::sharding {

/// Memory that is cut into pieces of any size and grows together again as they come back: the lowest place
/// that is large enough is taken, so what was ever touched stays near what was ever in use at once, whatever
/// the sizes. Pages come when they are first written and stay.
class StepMemory {
 public:
  /// Addresses are reserved so many bytes at a time.
  explicit StepMemory(std::size_t region_bytes = std::size_t{1} << 30) : region_bytes_(region_bytes) {}
  StepMemory(const StepMemory&) = delete;
  StepMemory& operator=(const StepMemory&) = delete;
  ~StepMemory();

  /// At a cache line; null where there are no more addresses.
  void* take(std::size_t bytes);
  /// What `take` gave for so many bytes.
  void give_back(void* piece, std::size_t bytes);
  /// Up to where memory was ever taken.
  std::size_t touched() const;
  /// Whether the next piece of so many bytes lies beyond what was ever taken.
  bool would_grow(std::size_t bytes) const;
  /// The pages of what is free go back to the kernel.
  void drop_free_pages();

 private:
  struct Region {
    std::byte* begin = nullptr;
    std::size_t bytes = 0, touched = 0;
  };
  using Free = std::map<std::byte*, std::size_t>;

  /// Its index.
  std::size_t region_of(const std::byte* piece) const;
  Free::const_iterator fitting(std::size_t bytes) const;
  bool add_region(std::size_t bytes);

  std::size_t region_bytes_;
  std::vector<Region> regions_;
  Free free_;
};

}  // namespace trireme::sharding
