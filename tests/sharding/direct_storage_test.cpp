#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include <gmock/gmock.h>

#include "tests/cufile_double/cufile_double.h"
#include "tests/offload/scratch.h"
#include "tests/sharding/device_engine.h"

namespace trireme::sharding::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Parameters that go between drives and a device's memory by the double of cuFile.
class DirectStorage : public DeviceEngine {
 protected:
  void SetUp() override {
    cufile_double_reset();
    DeviceEngine::SetUp();
  }
  void TearDown() override {
    cufile_double_arm(CufileFault::none, 0, 0);
    DeviceEngine::TearDown();
  }

  /// Groups of several whole parts.
  ToyJob on_drives(std::string_view name, Codec codec, Tier optimizer = Tier::nvme) {
    ToyJob job = job_of(name, codec);
    job.shape.width = 64, job.shape.inner = 128;
    job.micro_batches = 2;
    job.placement.parameters.tier = Tier::nvme, job.placement.optimizer.tier = optimizer;
    job.options.tiers.nvme_paths = {scratch_.path()};
    job.options.tiers.part_elements = 4096;
    return job;
  }
  static ToyJob in_memory(ToyJob job) {
    job.placement.parameters.tier = Tier::device;
    return job;
  }

  const offload::tests::Scratch scratch_;
};

TEST_F(DirectStorage, GivesTheBitsOfParametersInMemory) {
  int number = 0;
  for (const char* name : {"ddp", "zero1", "zero2", "zero3", "hpz", "fsdp_grad_op"})
    for (const Codec codec : {Codec::fp32, Codec::bf16}) {
      const Tier optimizer = number / 2 % 2 ? Tier::host : Tier::nvme;
      ToyJob job = on_drives(name, codec, optimizer);
      if (++number % 2) job.settings.max_norm = 0.5;
      job.options.update_when_reduced = !job.settings.max_norm;
      job.options.keeps_gradients = true;
      job.options.prefetch_depth = number % 3;
      job.shape.frozen_blocks = number % 4 == 3;
      const std::string what = fmt::format("{} {} {}", name, name_of(codec), name_of(optimizer));
      const Trained stayed = train(in_memory(job), true);
      EXPECT_EQ(cufile_double_counts().reads, 0) << what;
      expect_equal(train(job, true), stayed, 0, what);
      const CufileCounts counts = cufile_double_counts();
      EXPECT_GT(counts.reads, 0) << what;
      EXPECT_EQ(counts.unregistered, 0) << what;
      cufile_double_reset();
    }
}

/// Parameters alone: state goes beside it. Where the parameters' slices are the wider ones, a refresh makes
/// the new ones on the device, and they leave from there.
TEST_F(DirectStorage, MovesTheBytesThatTheScheduleNames) {
  for (const char* name : {"ddp", "zero1", "zero3"}) {
    ToyJob job = on_drives(name, Codec::bf16);
    job.options.tiers.nvme_backend = "cufile";
    double loads = 0, stores = 0;
    const bool refreshes = std::string_view(name) == "zero1" && site_->hosts().size() > 1;
    job.before_each = [&](const Schedule& schedule, int index) {
      const Op& op = schedule.ops[static_cast<std::size_t>(index)];
      constexpr double block = 1 << 20;
      if (op.kind == OpKind::load) loads += std::ceil(static_cast<double>(op.bytes) / block);
      if (op.kind == OpKind::store) stores += std::ceil(static_cast<double>(op.bytes) / block);
    };
    train(job, true);
    EXPECT_EQ(cufile_double_counts().reads, loads) << name;
    EXPECT_EQ(cufile_double_counts().writes, stores) << name;
    EXPECT_GT(loads, 0);
    EXPECT_EQ(stores > 0, refreshes) << name;
    cufile_double_reset();
  }
}

TEST_F(DirectStorage, OtherBackendsCopyThroughTheHost) {
  const ToyJob job = on_drives("zero3", Codec::bf16);
  const Trained direct = train(job, true);
  for (const char* backend : {"io_uring", "threads"}) {
    cufile_double_reset();
    ToyJob other = job;
    other.options.tiers.nvme_backend = backend;
    other.options.tiers.nvme_depth = 5;
    const Watch host_memory{
        {}, [&other](Engine& engine) {
          const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, other.micro_batches);
          const MemoryForecast memory = forecast_memory(engine.blueprint(), other.placement, step,
                                                        toy_optimizer(other.settings)->states(), {});
          EXPECT_GT(memory.of("copies between drives and device"), 5u << 20);
          EXPECT_EQ(memory.totals()[static_cast<std::size_t>(Tier::host)], engine.memory().host());
        }};
    expect_equal(train(other, true, nullptr, host_memory), direct, 0, backend);
    EXPECT_EQ(cufile_double_counts().reads, 0) << backend;
  }
}

/// Through the page cache, by the host.
TEST_F(DirectStorage, PartsThatAreNotWholeSectorsGoBesideIt) {
  ToyJob job = on_drives("zero3", Codec::bf16);
  job.options.tiers.part_elements = 1000;
  expect_equal(train(job, true), train(in_memory(job), true), 0, "parts of 1000 elements");
  EXPECT_EQ(cufile_double_counts().reads, 0);
}

TEST_F(DirectStorage, WhatCufileRefusesGoesOverTheHost) {
  const ToyJob job = on_drives("zero3", Codec::bf16);
  const Trained stayed = train(in_memory(job), true);
  const std::tuple<CufileFault, long, std::int64_t> faults[] = {
      {CufileFault::file, -1, 5008},   {CufileFault::submit, 3, 5008},  {CufileFault::result, 3, -5009},
      {CufileFault::memory, -1, 5036}, {CufileFault::driver, -1, 5007}, {CufileFault::result, 2, 1000}};
  for (const auto& [fault, at, value] : faults) {
    cufile_double_reset();
    cufile_double_arm(fault, at, value);
    expect_equal(train(job, true), stayed, 0, fmt::format("fault {} {}", static_cast<int>(fault), value));
  }
}

TEST_F(DirectStorage, ABrokenDriveEndsTheRunOnEveryRank) {
  for (const char* name : {"ddp", "zero3"}) {
    const ToyJob job = on_drives(name, Codec::bf16);
    for (const bool here : {true, rank() == 0}) {
      cufile_double_reset();
      if (here) cufile_double_arm(CufileFault::result, 5, -EIO);
      try {
        train(job, true);
        ADD_FAILURE() << "nothing was noticed";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::requeue);
        EXPECT_THAT(error.what(),
                    AllOf(HasSubstr("NVMe tier: read of "), HasSubstr("failed: Input/output error"),
                          HasSubstr("start again from the last checkpoint")));
      }
    }
  }
}

TEST_F(DirectStorage, StallsOnAnyLaneChangeNoBit) {
  for (const char* name : {"ddp", "zero1", "zero3"}) {
    ToyJob job = on_drives(name, Codec::bf16);
    job.options.prefetch_depth = 1;
    const Trained stayed = train(in_memory(job), true);
    std::atomic<std::uint32_t> state{1};
    job.before_each = [&state](const Schedule&, int) {
      const std::uint32_t drawn = state.fetch_add(0x9e3779b9u) * 0x85ebca6bu >> 16;
      if (drawn % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(drawn % 1500));
    };
    expect_equal(train(job, true), stayed, 0, name);
  }
}

TEST_F(DirectStorage, IsRefusedWhereItHasNothingToMove) {
  ToyJob job = on_drives("zero3", Codec::bf16);
  job.placement.parameters.tier = Tier::device;
  job.options.tiers.nvme_backend = "cufile";
  try {
    train(job, true);
    FAIL() << "it was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_THAT(error.what(), HasSubstr("set offload.nvme_backend=auto"));
  }
}

}  // namespace
}  // namespace trireme::sharding::tests
