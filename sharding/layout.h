#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sharding/unit.h"

namespace trireme::sharding {

/// What a cut between two ranks must not split: a single element, a block of `elements` counted from a
/// tensor's start, or a whole tensor.
struct Granule {
  enum class Kind : std::uint8_t { element, block, tensor };
  Kind kind = Kind::element;
  std::int64_t elements = 1;
  static Granule element() { return {}; }
  static Granule block(std::int64_t elements) { return {Kind::block, elements}; }
  static Granule tensor() { return {Kind::tensor, 1}; }
};

/// Elements [begin, begin + count) of one parameter, and where they are in the slice.
struct Piece {
  int parameter = 0;
  std::int64_t begin = 0;
  std::int64_t count = 0;
  std::int64_t at = 0;
};

/// A group's parameters in one flat vector, padded so that every span used cuts it into equal slices at
/// granule bounds.
class Layout {
 public:
  /// `parts`: a common multiple of all spans that cut the vector.
  Layout(std::span<const Parameter> parameters, int parts, Granule granule = Granule::element());

  std::int64_t elements() const { return elements_; }
  /// Without padding.
  std::int64_t used() const { return used_; }
  std::int64_t offset(int parameter) const { return offsets_[static_cast<std::size_t>(parameter)]; }
  std::int64_t count(int parameter) const { return counts_[static_cast<std::size_t>(parameter)]; }
  std::int64_t slice_elements(int span) const { return elements_ / span; }
  /// The parts of parameters that slice `slice` of `span` holds, in flat order.
  std::vector<Piece> pieces(int slice, int span) const;
  /// What lies between and behind the parameters of a whole vector.
  void for_each_gap(const std::function<void(std::int64_t at, std::int64_t count)>& use) const;

 private:
  void place_in_order(int parts, std::int64_t granule);
  void place_whole_tensors(int parts);

  std::vector<std::int64_t> counts_;
  std::vector<std::int64_t> offsets_;
  std::int64_t elements_ = 0;
  std::int64_t used_ = 0;
};

std::int64_t element_count(const Parameter& parameter);

}  // namespace trireme::sharding
