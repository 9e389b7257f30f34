#include "comm/shards.h"

#include <gtest/gtest.h>

namespace trireme::comm {
namespace {

TEST(Shards, CutCoversTheWholeForEveryRankCountAndGranule) {
  for (std::size_t total : {0u, 1u, 2u, 7u, 64u, 1000u, 1001u})
    for (int ranks = 1; ranks <= 9; ++ranks)
      for (std::size_t granule : {1u, 2u, 64u}) {
        const Shards shards = Shards::cut(total, ranks, granule);
        std::size_t covered = 0;
        for (int rank = 0; rank < ranks; ++rank) {
          EXPECT_EQ(shards.offset(rank), covered);
          if (covered < total) {
            EXPECT_EQ(covered % granule, 0u);
          }
          covered += shards.count(rank);
        }
        EXPECT_EQ(covered, total);
        EXPECT_EQ(shards.total(), total);
      }
}

}  // namespace
}  // namespace trireme::comm
