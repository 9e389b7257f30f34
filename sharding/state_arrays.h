#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sharding/blueprint.h"
#include "sharding/optimizer.h"

namespace trireme::sharding {

/// What goes around the page cache begins and ends at these.
constexpr std::uint64_t sector = 4096;

/// Of so many bytes that a drive fills, what their pages are: of huge ones it moves a MiB in a few pieces.
constexpr std::uint64_t page_beside_drives(std::uint64_t bytes) {
  constexpr std::uint64_t huge_page = std::uint64_t{2} << 20;
  return bytes < huge_page ? sector : huge_page;
}
/// What an array takes on a drive, where it has its sectors for itself.
constexpr std::uint64_t in_sectors(std::uint64_t bytes) {
  return (bytes + sector - 1) / sector * sector;
}

/// The arrays that a rank keeps of a group for its update: the fp32 master, where it is not the parameters'
/// own slice, or the half of it that is not in the parameters; then the optimizer's states.
struct StateArrays {
  bool master = false, splits_master = false;
  /// The master is one of them.
  std::vector<StateKind> kinds;
  /// Of the optimizer's slice.
  std::int64_t elements = 0;

  std::size_t bytes(std::size_t kind) const;
  /// Where an element of the slice is in an array, in bytes; it begins a block.
  std::size_t offset(std::size_t kind, std::int64_t element) const;
  std::size_t total_bytes() const;
};

/// Empty for a group that is not trained.
StateArrays state_arrays(const Blueprint& blueprint, int group, const Optimizer& optimizer);
StateArrays state_arrays(const Blueprint& blueprint, int group, const std::vector<StateKind>& states);

}  // namespace trireme::sharding
