#include "offload/optimizer/team.h"

#include <atomic>
#include <numeric>
#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "offload/host/numa.h"

namespace trireme::offload {
namespace {

TEST(Team, CutsEveryElementOnceAtGranules) {
  for (const std::size_t members : {1u, 2u, 3u, 5u}) {
    Team team(std::vector<int>(members, allowed_cores().front()));
    EXPECT_EQ(team.size(), static_cast<int>(members));
    for (const std::int64_t count : {1, 255, 256, 257, 10'000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
      team.for_ranges(count, 256, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_EQ(begin % 256, 0);
        for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      for (const auto& once : seen) ASSERT_EQ(once, 1);
    }
  }
}

TEST(Team, EachMemberKeepsItsThread) {
  Team team(std::vector<int>(3, allowed_cores().front()));
  std::vector<std::thread::id> first(3), again(3);
  team.run([&](int member) { first[static_cast<std::size_t>(member)] = std::this_thread::get_id(); });
  team.run([&](int member) { again[static_cast<std::size_t>(member)] = std::this_thread::get_id(); });
  EXPECT_EQ(first, again);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 3u);
}

TEST(Team, WhatAMemberThrowsIsThrownAndTheTeamGoesOn) {
  Team team(std::vector<int>(2, allowed_cores().front()));
  for (const int thrower : {0, 1})
    EXPECT_THROW(team.run([&](int member) {
      if (member == thrower) throw std::runtime_error("here");
    }),
                 std::runtime_error);
  std::atomic<int> ran{0};
  team.run([&](int) { ++ran; });
  EXPECT_EQ(ran, 2);
}

}  // namespace
}  // namespace trireme::offload
