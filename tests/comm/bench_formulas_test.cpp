#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/bench/collective.h"
#include "comm/bench/names.h"
#include "comm/bench/sizes.h"
#include "comm/bench/statistics.h"
#include "core/error.h"

namespace trireme::comm::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename Work>
std::string usage_message(Work work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(BenchFormulas, BusFactorsAreThoseOfNcclTests) {
  EXPECT_DOUBLE_EQ(bus_factor(Collective::all_reduce, 2), 1.0);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::all_reduce, 8), 1.75);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::all_gather, 2), 0.5);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::reduce_scatter, 4), 0.75);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::all_to_all, 8), 0.875);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::broadcast, 8), 1.0);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::sendrecv, 8), 1.0);
}

TEST(BenchFormulas, BandwidthsOfHandComputedTimes) {
  // 64 MB in 8 ms is 8 GB/s; over 4 ranks an all-reduce carries 3/2 of that on the bus.
  EXPECT_DOUBLE_EQ(algorithm_bandwidth(64e6, 8e-3), 8.0);
  EXPECT_DOUBLE_EQ(bus_bandwidth(Collective::all_reduce, 4, 64e6, 8e-3), 12.0);
  EXPECT_DOUBLE_EQ(bus_bandwidth(Collective::all_gather, 4, 64e6, 8e-3), 6.0);
}

TEST(BenchWorkload, IsCutIntoEqualPartsOfAtMostTheSizeAskedFor) {
  const auto cut = Workload::fitting(Collective::all_gather, DType::f32, Reduction::sum, 3, false, 1024);
  EXPECT_EQ(cut.elements, 255u);
  EXPECT_EQ(cut.part(), 85u);
  EXPECT_EQ(cut.bytes(), 1020u);
  const auto whole = Workload::fitting(Collective::all_reduce, DType::bf16, Reduction::sum, 3, false, 1025);
  EXPECT_EQ(whole.elements, 512u);
  EXPECT_EQ(whole.part(), 512u);
  EXPECT_EQ(Workload::fitting(Collective::all_gather, DType::f32, Reduction::sum, 4, false, 15).elements, 0u);
}

TEST(BenchSizes, MultiplyUpToTheEnd) {
  EXPECT_THAT(size_series(1024, 8192, 2), ElementsAre(1024, 2048, 4096, 8192));
  EXPECT_THAT(size_series(1000, 5000, 4), ElementsAre(1000, 4000));
  EXPECT_THAT(size_series(1, 4, 1.1), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(size_series(64, 64, 2), ElementsAre(64));
  EXPECT_THAT(usage_message([] { size_series(0, 1, 2); }), HasSubstr("--begin"));
  EXPECT_THAT(usage_message([] { size_series(2048, 1024, 2); }), HasSubstr("--end (1 KiB) is below --begin"));
  EXPECT_THAT(usage_message([] { size_series(1, 2, 1); }), HasSubstr("--factor is 1"));
}

TEST(BenchNames, ListsAreParsedAndUnknownNamesAreRefusedByName) {
  EXPECT_THAT(split_names("mpi, shm ,,openmpi"), ElementsAre("mpi", "shm", "openmpi"));
  EXPECT_THAT(parse_collectives("all_reduce,sendrecv"),
              ElementsAre(Collective::all_reduce, Collective::sendrecv));
  EXPECT_EQ(parse_collectives("all").size(), 6u);
  EXPECT_THAT(usage_message([] { parse_collectives("all_reduce,gather"); }),
              HasSubstr("no collective 'gather'; known are: all_gather"));
  EXPECT_THAT(usage_message([] { parse_collectives(","); }), HasSubstr("names nothing"));
  EXPECT_THAT(usage_message([] { parse_reduction("prod"); }), HasSubstr("'prod'"));
}

TEST(BenchStatistics, MediansAndQuartiles) {
  EXPECT_DOUBLE_EQ(median_of({3, 1, 2}), 2);
  EXPECT_DOUBLE_EQ(median_of({4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(upper_quartile_of({1, 2, 3, 4, 5, 6, 7, 8}), 7);
  EXPECT_DOUBLE_EQ(lower_quartile_of({1, 2, 3, 4, 5, 6, 7, 8}), 2);
  EXPECT_DOUBLE_EQ(upper_quartile_of({5}), 5);
  const Summary summary = summarize({5, 1, 9});
  EXPECT_DOUBLE_EQ(summary.median, 5);
  EXPECT_DOUBLE_EQ(summary.min, 1);
  EXPECT_DOUBLE_EQ(summary.max, 9);
}

}  // namespace
}  // namespace trireme::comm::bench
