#include "sharding/step_memory.h"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

namespace trireme::sharding {
namespace {

constexpr std::size_t region = std::size_t{1} << 24;

struct Piece {
  std::byte* data;
  std::size_t bytes;
  unsigned char mark;
  bool whole() const {
    for (std::size_t i = 0; i < bytes; ++i)
      if (data[i] != std::byte{mark}) return false;
    return true;
  }
};

TEST(StepMemory, PiecesNeverOverlapAndGrowTogetherAgain) {
  StepMemory memory(region);
  std::mt19937 random(7);
  std::vector<Piece> pieces;
  for (int i = 0; i < 4000; ++i) {
    if (pieces.size() < 40 && random() % 2 == 0) {
      const std::size_t bytes = 1 + random() % 400000;
      auto* data = static_cast<std::byte*>(memory.take(bytes));
      ASSERT_EQ(reinterpret_cast<std::size_t>(data) % 64, 0u);
      pieces.push_back({data, bytes, static_cast<unsigned char>(random())});
      std::memset(data, pieces.back().mark, bytes);
    } else if (!pieces.empty()) {
      const std::size_t which = random() % pieces.size();
      ASSERT_TRUE(pieces[which].whole());
      memory.give_back(pieces[which].data, pieces[which].bytes);
      pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
  for (const Piece& piece : pieces) memory.give_back(piece.data, piece.bytes);
  const std::size_t touched = memory.touched();
  EXPECT_FALSE(memory.would_grow(touched < region ? touched : region));
}

TEST(StepMemory, SizesThatWereNeverSeenFitIntoWhatIsFree) {
  StepMemory memory(region);
  void* large = memory.take(1000000);
  memory.give_back(large, 1000000);
  for (const std::size_t bytes : {900000, 500000, 300001, 7}) {
    void* piece = memory.take(bytes);
    EXPECT_EQ(piece, large);
    memory.give_back(piece, bytes);
  }
  EXPECT_EQ(memory.touched(), 1000000u);
}

TEST(StepMemory, APieceMayBeLargerThanARegion) {
  StepMemory memory(region);
  void* small = memory.take(100);
  void* large = memory.take(3 * region);
  std::memset(large, 1, 3 * region);
  memory.give_back(large, 3 * region);
  EXPECT_FALSE(memory.would_grow(3 * region));
  memory.give_back(small, 100);
}

TEST(StepMemory, DroppedPagesAreZeroAndCountedAsNotTouched) {
  StepMemory memory(region);
  auto* piece = static_cast<std::byte*>(memory.take(region / 2));
  std::memset(piece, 1, region / 2);
  memory.give_back(piece, region / 2);
  memory.drop_free_pages();
  EXPECT_EQ(memory.touched(), 0u);
  auto* again = static_cast<std::byte*>(memory.take(region / 2));
  EXPECT_EQ(again[region / 4], std::byte{0});
  memory.give_back(again, region / 2);
}

}  // namespace
}  // namespace trireme::sharding
