#include "io/data/packing.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "core/error.h"

namespace trireme::io {
namespace {

/// Which amounts of room left some bin has: a bit each, and a bit for each word that has one, so that the
/// least amount that suffices is found in a few steps.
class Rooms {
 public:
  explicit Rooms(std::uint32_t capacity) : lists_(capacity + 1) {
    for (std::size_t bits = capacity + 1;; bits = (bits + 63) / 64) {
      levels_.emplace_back((bits + 63) / 64);
      if (levels_.back().size() == 1) break;
    }
  }
  void put(std::uint32_t room, std::uint32_t bin) {
    lists_[room].push_back(bin);
    std::size_t at = room;
    for (auto& level : levels_) level[at / 64] |= std::uint64_t{1} << (at % 64), at /= 64;
  }
  /// Takes a bin with the least room that is not below `wanted`; its room goes to `room`. False: none has.
  bool take(std::uint32_t wanted, std::uint32_t& room, std::uint32_t& bin) {
    if (!least_from(wanted, room)) return false;
    auto& list = lists_[room];
    bin = list.back();
    list.pop_back();
    std::size_t at = room;
    if (list.empty())
      for (auto& level : levels_) {
        level[at / 64] &= ~(std::uint64_t{1} << (at % 64));
        if (level[at / 64] != 0) break;
        at /= 64;
      }
    return true;
  }

 private:
  bool least_from(std::size_t wanted, std::uint32_t& found) const {
    std::size_t at = wanted;
    for (std::size_t level = 0; level < levels_.size(); ++level) {
      const std::size_t word = at / 64;
      if (word >= levels_[level].size()) return false;
      if (const std::uint64_t bits = levels_[level][word] & (~std::uint64_t{0} << (at % 64)); bits != 0) {
        at = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
        while (level-- > 0) at = at * 64 + static_cast<std::size_t>(std::countr_zero(levels_[level][at]));
        found = static_cast<std::uint32_t>(at);
        return true;
      }
      at = word + 1;
    }
    return false;
  }

  std::vector<std::vector<std::uint32_t>> lists_;
  std::vector<std::vector<std::uint64_t>> levels_;
};

/// Document numbers, longest first, equal lengths in their order.
std::vector<std::uint32_t> longest_first(std::span<const std::uint32_t> lengths, std::uint32_t capacity) {
  std::vector<std::uint64_t> start(capacity + 2);
  for (const std::uint32_t length : lengths) ++start[capacity - length + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  std::vector<std::uint32_t> order(lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i)
    order[start[capacity - lengths[i]]++] = static_cast<std::uint32_t>(i);
  return order;
}

}  // namespace

Packing pack(std::span<const std::uint32_t> lengths, std::uint32_t capacity) {
  for (const std::uint32_t length : lengths)
    require(length >= 1 && length <= capacity, "a document of {} tokens in rows of {}", length, capacity);
  std::vector<std::uint32_t> bin_of(lengths.size());
  std::uint32_t bins = 0;
  Rooms rooms(capacity);
  for (const std::uint32_t document : longest_first(lengths, capacity)) {
    std::uint32_t room = capacity, bin = 0;
    if (!rooms.take(lengths[document], room, bin)) room = capacity, bin = bins++;
    bin_of[document] = bin;
    if (room > lengths[document]) rooms.put(room - lengths[document], bin);
  }
  Packing packing;
  packing.ends.resize(bins);
  for (const std::uint32_t bin : bin_of) ++packing.ends[bin];
  std::partial_sum(packing.ends.begin(), packing.ends.end(), packing.ends.begin());
  packing.documents.resize(lengths.size());
  std::vector<std::uint64_t> next(bins);
  for (std::uint32_t bin = 1; bin < bins; ++bin) next[bin] = packing.ends[bin - 1];
  for (std::size_t document = 0; document < lengths.size(); ++document)
    packing.documents[next[bin_of[document]]++] = static_cast<std::uint32_t>(document);
  const auto tokens = std::accumulate(lengths.begin(), lengths.end(), 0.0);
  packing.fullness = bins == 0 ? 0 : tokens / (static_cast<double>(bins) * capacity);
  return packing;
}

}  // namespace trireme::io
