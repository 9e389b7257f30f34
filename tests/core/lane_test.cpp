#include "core/lane.h"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace trireme {
namespace {

TEST(Lane, RunsPostedWorkInOrder) {
  Lane lane("test");
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i) lane.post([&seen, i] { seen.push_back(i); });
  lane.drain();
  ASSERT_EQ(seen.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(Lane, WaitsForEventsOfOtherLanes) {
  Lane first("first"), second("second");
  std::atomic<bool> first_done{false};
  const Event event = first.post([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    first_done = true;
  });
  bool seen = false;
  second.post([&] { seen = first_done; }, {event}).wait();
  EXPECT_TRUE(seen);
}

TEST(Lane, CarriesExceptionsToWhoeverWaitsAndGoesOn) {
  Lane lane("test");
  const Event broken = lane.post([] { throw std::runtime_error("broken"); });
  const Event after = lane.post([] {});
  EXPECT_THROW(broken.wait(), std::runtime_error);
  EXPECT_NO_THROW(after.wait());
}

TEST(Lane, AFailedWaitFailsTheWork) {
  Lane first("first"), second("second");
  const Event broken = first.post([] { throw std::runtime_error("broken"); });
  bool ran = false;
  const Event event = second.post([&] { ran = true; }, {broken});
  EXPECT_THROW(event.wait(), std::runtime_error);
  EXPECT_FALSE(ran);
}

TEST(Lane, RunUsesTheCallersThreadWhenIdleAndKeepsOrderWhenNot) {
  Lane lane("test");
  std::thread::id where;
  lane.run([&] { where = std::this_thread::get_id(); });
  EXPECT_EQ(where, std::this_thread::get_id());
  std::vector<int> seen;
  lane.post([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    seen.push_back(1);
  });
  lane.run([&] { seen.push_back(2); });
  EXPECT_EQ(seen, (std::vector{1, 2}));
}

TEST(Lane, InTheBackgroundItAndWhatItStartsStandBack) {
  const auto niceness = [] { return getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); };
  const int before = niceness();
  int usual = 0, background = 0, started = 0;
  Lane first("usual"), second("background", Lane::Urgency::background);
  first.post([&] { usual = niceness(); }).wait();
  second
      .post([&] {
        background = niceness();
        std::thread([&] { started = niceness(); }).join();
      })
      .wait();
  EXPECT_EQ(usual, before);
  EXPECT_EQ(niceness(), before);
  EXPECT_GT(background, before);
  EXPECT_EQ(started, background);
}

TEST(Event, WaitForGivesUpInTime) {
  Event event;
  EXPECT_FALSE(event.wait_for(std::chrono::milliseconds(5)));
  event.set();
  EXPECT_TRUE(event.wait_for(std::chrono::milliseconds(5)));
}

}  // namespace
}  // namespace trireme
