#include <gtest/gtest.h>

#include "comm/bench/collective_bench.h"
#include "comm/bench/sizes.h"
#include "comm/mpi/mpi_world.h"
#include "tests/comm/pretend_device.h"
#include "tests/mpi_main.h"

namespace trireme::comm::bench {
namespace {

class BenchDevice : public testing::Test {
 protected:
  MpiWorld hosts{tests::mpi_runtime()};
  Everyone everyone;
  tests::PretendDevice device;
  tests::PretendDeviceWorld world{hosts, device};
  Site site{everyone, world, &device};
};

CollectiveOptions small_sizes() {
  CollectiveOptions options;
  options.collectives = parse_collectives("all");
  options.backends = {"all"};
  options.sizes = size_series(256, 16384, 8);
  options.check = true;
  options.measure = {.warmups = 1, .iterations = 3, .repeats = 2};
  return options;
}

TEST_F(BenchDevice, EveryCollectiveIsRightInDeviceMemoryThatTheHostNeverTouches) {
  int collectives = 0;
  run_collectives(site, small_sizes(), [&](const std::vector<Record>& records) {
    ++collectives;
    ASSERT_EQ(records.size(), 3u);
    for (const Record& record : records) {
      EXPECT_EQ(record.backend, "pretend");
      EXPECT_EQ(record.memory, "device");
      EXPECT_EQ(record.wrong, 0u) << json_of(record);
      EXPECT_GT(record.limit_seconds, 0);
    }
  });
  EXPECT_EQ(collectives, 6);
}

TEST_F(BenchDevice, PlainDeviceMemoryAndGroupsOfANode) {
  CollectiveOptions options = small_sizes();
  options.plain_memory = true;
  options.span = Span::node;
  run_collectives(site, options, [](const std::vector<Record>& records) {
    for (const Record& record : records) EXPECT_EQ(record.wrong, 0u) << json_of(record);
  });
}

}  // namespace
}  // namespace trireme::comm::bench
