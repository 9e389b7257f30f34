#include "io/data/packing.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "io/data/permutation.h"

namespace trireme::io {
namespace {

std::vector<std::uint32_t> log_normal(std::size_t count, double median, std::uint32_t capacity) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> draw(std::log(median), 0.9);
  std::vector<std::uint32_t> lengths(count);
  for (auto& length : lengths)
    length = static_cast<std::uint32_t>(std::clamp(draw(random), 1.0, double(capacity)));
  return lengths;
}

void expect_sound(const Packing& packing, const std::vector<std::uint32_t>& lengths, std::uint32_t capacity) {
  std::vector<int> times(lengths.size());
  for (std::uint64_t bin = 0; bin < packing.bins(); ++bin) {
    std::uint64_t used = 0;
    for (const std::uint32_t document : packing.bin(bin)) ++times[document], used += lengths[document];
    EXPECT_GE(used, 1u);
    EXPECT_LE(used, capacity);
  }
  EXPECT_EQ(times, std::vector<int>(lengths.size(), 1));
}

TEST(Packing, EachDocumentLiesInOneRowAndNoRowOverflows) {
  for (const std::uint32_t capacity : {1u, 2u, 63u, 64u, 65u, 4096u, 5000u})
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{1000}}) {
      const auto lengths = log_normal(count, capacity / 4.0, capacity);
      expect_sound(pack(lengths, capacity), lengths, capacity);
    }
}

TEST(Packing, FillsRowsOfARealisticMix) {
  const auto lengths = log_normal(1'000'000, 400, 4096);
  const Packing packing = pack(lengths, 4096);
  EXPECT_GE(packing.fullness, 0.97);
  EXPECT_EQ(pack(lengths, 4096).documents, packing.documents);
}

/// Best fit by looking at every bin.
std::size_t bins_of_plain_best_fit(std::vector<std::uint32_t> lengths, std::uint32_t capacity) {
  std::stable_sort(lengths.begin(), lengths.end(), std::greater<>());
  std::vector<std::uint32_t> rooms;
  for (const std::uint32_t length : lengths) {
    auto best = rooms.end();
    for (auto room = rooms.begin(); room != rooms.end(); ++room)
      if (*room >= length && (best == rooms.end() || *room < *best)) best = room;
    if (best == rooms.end()) {
      rooms.push_back(capacity - length);
    } else {
      *best -= length;
    }
  }
  return rooms.size();
}

TEST(Packing, IsBestFit) {
  for (const std::uint32_t capacity : {64u, 100u, 8192u}) {
    const auto lengths = log_normal(700, capacity / 5.0, capacity);
    EXPECT_EQ(pack(lengths, capacity).bins(), bins_of_plain_best_fit(lengths, capacity));
  }
}

TEST(Permutation, EveryPlaceOnceForEverySize) {
  for (std::uint64_t size = 1; size < 600; size = size * 5 / 4 + 1) {
    const Permutation order(size, size * 31);
    std::vector<int> times(size);
    for (std::uint64_t place = 0; place < size; ++place) ++times[order(place)];
    EXPECT_EQ(times, std::vector<int>(size, 1)) << size;
  }
}

TEST(Permutation, SeedsGiveOtherOrdersAndNeighboursPart) {
  constexpr std::uint64_t size = 10007;
  const Permutation one(size, 1), two(size, 2);
  int same = 0, neighbours = 0;
  for (std::uint64_t place = 0; place + 1 < size; ++place) {
    same += one(place) == two(place);
    neighbours += one(place) + 1 == one(place + 1);
  }
  EXPECT_LT(same, 10);
  EXPECT_LT(neighbours, 10);
}

}  // namespace
}  // namespace trireme::io
