#include "offload/host/node_shared.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "comm/mpi/mpi_sharing.h"
#include "comm/mpi/runtime.h"
#include "core/error.h"

namespace trireme::offload {
namespace {

/// Pages of shared memory in this process's map, each counted as often as it is mapped here.
std::size_t shared_resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssShmem:")) return std::stoul(line.substr(9)) * 1024;
  return 0;
}

TEST(NodeShared, IsHeldOnceAndSeenByAll) {
  comm::MpiSharing ranks;
  constexpr std::size_t bytes = 1000003;
  NodeShared shared(ranks, bytes);
  ASSERT_EQ(shared.whole().size(), bytes);
  std::size_t covered = 0;
  for (int rank = 0; rank < ranks.size(); ++rank) covered += shared.part(rank).size();
  EXPECT_EQ(covered, bytes);
  for (std::byte& byte : shared.mine()) byte = static_cast<std::byte>(ranks.rank() + 1);
  shared.meet();
  for (int rank = 0; rank < ranks.size(); ++rank)
    for (const std::byte byte : shared.part(rank)) ASSERT_EQ(byte, static_cast<std::byte>(rank + 1));
  shared.meet();
}

TEST(NodeShared, PartsOfLittleMemoryMayBeEmpty) {
  comm::MpiSharing ranks;
  NodeShared shared(ranks, 65);
  EXPECT_EQ(shared.part(0).size(), ranks.size() == 1 ? 65u : 64u);
  if (ranks.size() > 2) {
    EXPECT_TRUE(shared.part(2).empty());
  }
}

TEST(NodeShared, RanksMustNameTheSameSize) {
  comm::MpiSharing ranks;
  if (ranks.size() == 1) return;
  EXPECT_THROW(NodeShared(ranks, ranks.rank() == 0 ? 10 : 20), Error);
}

TEST(NodeShared, TheMemoryIsThereOnceHoweverManyRanks) {
  comm::MpiSharing ranks;
  if (ranks.size() == 1) return;
  constexpr std::size_t bytes = std::size_t{32} << 20;
  const std::size_t before = shared_resident();
  NodeShared shared(ranks, bytes);
  for (std::byte& byte : shared.mine()) byte = std::byte{1};
  shared.meet();
  // The first rank has zeroed it all; another has touched its part alone.
  if (ranks.rank() > 0) {
    EXPECT_LT(shared_resident() - before, bytes / static_cast<std::size_t>(ranks.size()) + (4u << 20));
  }
  shared.meet();
}

}  // namespace
}  // namespace trireme::offload
