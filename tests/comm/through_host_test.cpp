#include <vector>

#include <gtest/gtest.h>

#include "comm/through_host/pieces.h"

namespace trireme::comm {
namespace {

/// How often each byte of a vector of `bytes` lies in a range.
std::vector<int> touched(const std::vector<Piece>& pieces, std::vector<StagedRange> Piece::*side,
                         const std::byte* begin, std::size_t bytes) {
  std::vector<int> times(bytes);
  for (const Piece& piece : pieces)
    for (const StagedRange& range : piece.*side)
      for (std::size_t i = 0; i < range.bytes; ++i)
        ++times[static_cast<std::size_t>(range.device - begin) + i];
  return times;
}

TEST(ThroughHostPieces, EveryByteOfUnevenShardsIsMovedOnce) {
  std::vector<std::byte> whole(4 * 100), shard(4 * 100);
  const Shards shards = Shards::of({7, 0, 61, 32});
  for (int rank = 0; rank < 4; ++rank)
    for (const std::size_t most : {1u, 16u, 100u, 4000u}) {
      const std::size_t own = 4 * shards.count(rank);
      auto pieces = pieces_of(Call::all_gather(shard.data(), whole.data(), shards, DType::f32), rank, most);
      EXPECT_EQ(touched(pieces, &Piece::out, whole.data(), 400), std::vector<int>(400, 1));
      EXPECT_EQ(touched(pieces, &Piece::in, shard.data(), own), std::vector<int>(own, 1));
      for (const Piece& piece : pieces) {
        EXPECT_LE(piece.out_bytes, std::max<std::size_t>(most, 4 * sizeof(float)));
        EXPECT_EQ(piece.call.shards.total() * sizeof(float), piece.out_bytes);
      }
      pieces = pieces_of(Call::reduce_scatter(whole.data(), shard.data(), shards, DType::f32, Reduction::sum),
                         rank, most);
      EXPECT_EQ(touched(pieces, &Piece::in, whole.data(), 400), std::vector<int>(400, 1));
      EXPECT_EQ(touched(pieces, &Piece::out, shard.data(), own), std::vector<int>(own, 1));
    }
}

TEST(ThroughHostPieces, RanksCutAlike) {
  std::vector<std::byte> whole(400), shard(400);
  const Shards shards = Shards::of({1, 99, 0});
  for (const std::size_t most : {1u, 30u, 500u}) {
    std::vector<std::size_t> pieces;
    for (int rank = 0; rank < 3; ++rank)
      pieces.push_back(
          pieces_of(Call::all_gather(shard.data(), whole.data(), shards, DType::f32), rank, most).size());
    EXPECT_EQ(pieces[0], pieces[1]);
    EXPECT_EQ(pieces[0], pieces[2]);
  }
}

TEST(ThroughHostPieces, OfABroadcastTheRootGivesAndTheOthersGet) {
  std::vector<std::byte> data(400);
  for (const int rank : {0, 1})
    for (const Piece& piece : pieces_of(Call::broadcast(data.data(), 100, DType::f32, 1), rank, 64)) {
      EXPECT_EQ(piece.in.empty(), rank == 0);
      EXPECT_EQ(piece.out.empty(), rank == 1);
    }
}

TEST(ThroughHostPieces, NothingToMoveIsOnePiece) {
  EXPECT_EQ(pieces_of(Call::all_reduce(nullptr, nullptr, 0, DType::f32, Reduction::sum), 0, 64).size(), 1u);
  EXPECT_EQ(pieces_of(Call::barrier(), 0, 64).size(), 1u);
}

}  // namespace
}  // namespace trireme::comm
