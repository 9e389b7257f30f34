#include "sharding/layout.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace trireme::sharding {
namespace {

/// Tensors start at multiples of 64 bytes whatever their type, for aligned vector loads.
constexpr std::int64_t alignment = 64;

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

std::int64_t element_count(const Parameter& parameter) {
  return std::accumulate(parameter.shape.begin(), parameter.shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

Layout::Layout(std::span<const Parameter> parameters, int parts, Granule granule) {
  require(parts >= 1 && granule.elements >= 1, "a layout of {} parts with granules of {}", parts,
          granule.elements);
  for (const Parameter& parameter : parameters) counts_.push_back(element_count(parameter));
  used_ = std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
  offsets_.resize(counts_.size());
  if (granule.kind == Granule::Kind::tensor) {
    place_whole_tensors(parts);
  } else {
    place_in_order(parts, std::lcm(alignment, granule.elements));
  }
}

void Layout::place_in_order(int parts, std::int64_t granule) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    offsets_[i] = at;
    at = round_up(at + counts_[i], granule);
  }
  elements_ = std::max(round_up(at, granule * parts), granule * parts);
}

/// Largest first, each into the emptiest slice: slices within 4/3 of the best possible.
void Layout::place_whole_tensors(int parts) {
  std::vector<std::size_t> order(counts_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return counts_[a] > counts_[b]; });
  std::vector<std::int64_t> load(static_cast<std::size_t>(parts), 0);
  std::vector<std::size_t> owner(counts_.size());
  for (const std::size_t tensor : order) {
    const auto emptiest = std::min_element(load.begin(), load.end());
    owner[tensor] = static_cast<std::size_t>(emptiest - load.begin());
    offsets_[tensor] = *emptiest;
    *emptiest += round_up(counts_[tensor], alignment);
  }
  const std::int64_t slice = std::max(*std::max_element(load.begin(), load.end()), alignment);
  for (std::size_t tensor = 0; tensor < counts_.size(); ++tensor)
    offsets_[tensor] += static_cast<std::int64_t>(owner[tensor]) * slice;
  elements_ = slice * parts;
}

std::vector<Piece> Layout::pieces(int slice, int span) const {
  const std::int64_t size = slice_elements(span), first = size * slice, last = first + size;
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::int64_t begin = std::max(first, offsets_[i]), end = std::min(last, offsets_[i] + counts_[i]);
    if (begin < end) pieces.push_back({static_cast<int>(i), begin - offsets_[i], end - begin, begin - first});
  }
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.at < b.at; });
  return pieces;
}

void Layout::for_each_gap(const std::function<void(std::int64_t at, std::int64_t count)>& use) const {
  std::int64_t end = 0;
  const auto gap_to = [&](std::int64_t next) {
    if (next > end) use(end, next - end);
  };
  for (const Piece& piece : pieces(0, 1)) {
    gap_to(piece.at);
    end = piece.at + piece.count;
  }
  gap_to(elements_);
}

}  // namespace trireme::sharding
