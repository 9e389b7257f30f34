#include "sharding/executor.h"

#include <chrono>
#include <limits>
#include <thread>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "sharding/presets.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

using testing::HasSubstr;

ToyJob job_of(const char* name, int ranks) {
  ToyJob job;
  job.placement = preset(name, Codec::fp32);
  job.ranks = ranks;
  job.micro_batches = 2;
  return job;
}

void expect_same_bits(const ToyRun& a, const ToyRun& b) {
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.norms, b.norms);
  ASSERT_EQ(a.parameters.size(), b.parameters.size());
  for (std::size_t i = 0; i < a.parameters.size(); ++i)
    EXPECT_TRUE(at::equal(a.parameters[i].second, b.parameters[i].second)) << a.parameters[i].first;
}

TEST(Executor, TwoRunsGiveTheSameBits) {
  for (const char* name : {"ddp", "zero2", "zero3", "hpz"}) {
    const ToyJob job = job_of(name, 3);
    expect_same_bits(train_on_ranks(job), train_on_ranks(job));
  }
}

TEST(Executor, StallsOnEveryLaneChangeNoBit) {
  for (const char* name : {"zero1", "zero3", "hpz", "fsdp_grad_op"}) {
    for (const int depth : {0, 1, 3}) {
      ToyJob job = job_of(name, 2);
      job.options = {depth, depth, false};
      job.settings.steps = 3;
      const ToyRun calm = train_on_ranks(job);
      std::atomic<std::uint32_t> state{static_cast<std::uint32_t>(depth) + 1};
      job.before_each = [&state](const Schedule&, int) {
        const std::uint32_t drawn = state.fetch_add(0x9e3779b9u) * 0x85ebca6bu >> 16;
        if (drawn % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(drawn % 800));
      };
      expect_same_bits(train_on_ranks(job), calm);
    }
  }
}

/// Runs one step of `job` on a schedule that `spoil` has changed, after one good step; the error's text.
std::string error_of_spoilt(const ToyJob& job, const std::function<void(Schedule&)>& spoil) {
  try {
    comm::run_ranks(job.ranks, [&](comm::World& world) {
      Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
      engine.load(read_starting_values());
      engine.train(toy_step(job, world.rank(), 1));
      Schedule schedule = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
      spoil(schedule);
      engine.run(schedule, toy_step(job, world.rank(), 2));
    });
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Slots, AreCaughtWhenTheyWereRefilledWithAnotherGroup) {
  ToyJob job = job_of("zero3", 2);
  job.options = {0, 0, false};
  const auto swap_in_backward = [](Schedule& schedule) {
    bool backward = false;
    for (Op& op : schedule.ops) {
      backward |= op.kind == OpKind::backward;
      if (!backward || op.kind != OpKind::gather) continue;
      const int slot = schedule.parameter_slots.of_group[static_cast<std::size_t>(op.target)];
      for (int other = 0; other < static_cast<int>(schedule.facts.groups.size()); ++other) {
        if (other == op.target || schedule.parameter_slots.of_group[static_cast<std::size_t>(other)] != slot)
          continue;
        op.target = other;
        return;
      }
    }
  };
  EXPECT_THAT(error_of_spoilt(job, swap_in_backward), HasSubstr("should be"));
}

TEST(Slots, AreCaughtWhenTheyHoldParametersFromBeforeAnUpdate) {
  ToyJob job = job_of("zero3", 2);
  job.options = {9, 9, false};
  const auto erase_a_gather = [](Schedule& schedule) {
    for (std::size_t i = 0; i < schedule.ops.size(); ++i) {
      if (schedule.ops[i].kind != OpKind::gather || schedule.ops[i].target != 3) continue;
      schedule.ops.erase(schedule.ops.begin() + static_cast<std::ptrdiff_t>(i));
      for (Op& op : schedule.ops) {
        std::erase(op.waits, static_cast<int>(i));
        for (int& wait : op.waits) wait -= wait > static_cast<int>(i) ? 1 : 0;
      }
      return;
    }
  };
  EXPECT_THAT(error_of_spoilt(job, erase_a_gather),
              HasSubstr("of generation 1, but its parameters are of generation 2"));
}

TEST(Executor, MakesAllItsBuffersBeforeTheFirstStep) {
  ToyJob job = job_of("zero3", 2);
  comm::run_ranks(job.ranks, [&](comm::World& world) {
    Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
    const int made = engine.allocations();
    engine.load(read_starting_values());
    for (int step = 1; step <= 4; ++step) engine.train(toy_step(job, world.rank(), step));
    EXPECT_EQ(engine.allocations(), made);
  });
}

TEST(Executor, StateFallsWithTheNumberOfRanks) {
  const auto bytes = [](const char* name, int ranks) {
    ToyJob job = job_of(name, ranks);
    job.shape.width = job.shape.inner = 96;
    std::size_t states = 0;
    job.settings.steps = 1;
    job.micro_batches = 1;
    train_on_ranks(job, [&](Engine& engine, int rank) {
      if (rank == 0) states = engine.memory().states;
    });
    return static_cast<double>(states);
  };
  EXPECT_EQ(bytes("ddp", 4), bytes("ddp", 1));
  EXPECT_NEAR(bytes("zero3", 4) / bytes("zero3", 1), 0.25, 0.02);
  EXPECT_NEAR(bytes("zero3", 2) / bytes("zero3", 1), 0.5, 0.02);
  EXPECT_LT(bytes("zero2", 4), bytes("zero1", 4));
  EXPECT_LT(bytes("zero1", 4), bytes("ddp", 4));
}

TEST(Executor, AFailureOnOneRankStopsAllWithItsMessage) {
  for (const char* name : {"ddp", "zero3"}) {
    ToyJob job = job_of(name, 3);
    std::atomic<int> stopped{0};
    comm::run_ranks(job.ranks, [&](comm::World& world) {
      Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
      engine.load(read_starting_values());
      engine.train(toy_step(job, world.rank(), 1));
      engine.executor().before_each([&](const Schedule& schedule, int op) {
        if (world.rank() == 1 && schedule.ops[static_cast<std::size_t>(op)].kind == OpKind::backward)
          fail(ExitCode::damaged, "{} broke", describe(schedule, op));
      });
      try {
        engine.train(toy_step(job, world.rank(), 2));
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::damaged);
        EXPECT_THAT(error.what(), HasSubstr("rank 1: "));
        EXPECT_THAT(error.what(), HasSubstr("backward head of micro-batch 0"));
        ++stopped;
      }
    });
    EXPECT_EQ(stopped, 3) << name;
  }
}

TEST(Executor, SaysWhatNeedsLessWhereTheDeviceIsOutOfMemory) {
  ToyJob job = job_of("zero3", 2);
  std::atomic<int> told{0};
  comm::run_ranks(job.ranks, [&](comm::World& world) {
    Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
    engine.load(read_starting_values());
    engine.executor().before_each([&](const Schedule& schedule, int op) {
      if (world.rank() == 1 && schedule.ops[static_cast<std::size_t>(op)].kind == OpKind::forward)
        TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate 2.00 GiB");
    });
    try {
      engine.train(toy_step(job, world.rank(), 1));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::configuration);
      EXPECT_THAT(error.what(), HasSubstr("rank 1: the device is out of memory; a smaller micro_batch_size"));
      EXPECT_THAT(error.what(), testing::EndsWith("Tried to allocate 2.00 GiB"));
      ++told;
    }
  });
  EXPECT_EQ(told, 2);
}

TEST(Executor, ANonFiniteGradientOnOneRankIsAnOverflowOnAll) {
  for (const char* name : {"ddp", "zero1", "zero3"}) {
    const ToyJob job = job_of(name, 2);
    comm::run_ranks(job.ranks, [&](comm::World& world) {
      Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
      engine.load(read_starting_values());
      StepInput spoilt = toy_step(job, world.rank(), 1);
      if (world.rank() == 1) spoilt.micro_batches[0].loss_weight = std::numeric_limits<double>::quiet_NaN();
      EXPECT_TRUE(engine.train(spoilt).overflow) << name;
      const StepResult after = engine.train(toy_step(job, world.rank(), 1));
      EXPECT_FALSE(after.overflow);
      EXPECT_NEAR(after.loss, train_plainly(job.shape, job.settings).losses[0], 1e-5)
          << name << ": parameters were not left as they were";
    });
  }
}

TEST(Engine, EvaluatesWithoutTouchingTheState) {
  for (const char* name : {"ddp", "zero3", "hpz"}) {
    const ToyJob job = job_of(name, 2);
    comm::run_ranks(job.ranks, [&](comm::World& world) {
      Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
      engine.load(read_starting_values());
      const auto reference = train_plainly(job.shape, job.settings).losses;
      for (int step = 1; step <= 3; ++step) {
        const StepInput input = toy_step(job, world.rank(), step);
        EXPECT_NEAR(engine.evaluate(input.micro_batches), reference[static_cast<std::size_t>(step - 1)],
                    1e-5);
        engine.train(input);
      }
    });
  }
}

TEST(Engine, StateMovesThroughSlicesToAnotherPlacement) {
  const ToyJob from = job_of("zero3", 3), to = job_of("zero1", 2);
  std::map<std::string, std::vector<float>> saved;
  std::mutex mutex;
  ToyJob first_half = from;
  first_half.settings.steps = 3;
  train_on_ranks(first_half, [&](Engine& engine, int) {
    engine.for_each_slice([&](const StateSlice& slice) {
      auto& values = saved[slice.parameter->name + "/" + slice.state];
      values.resize(static_cast<std::size_t>(element_count(*slice.parameter)));
      std::copy_n(reinterpret_cast<const float*>(slice.data), slice.count, values.begin() + slice.begin);
    });
  });
  const auto reference = train_plainly(to.shape, to.settings).losses;
  comm::run_ranks(to.ranks, [&](comm::World& world) {
    Engine engine(toy_model(to.shape), to.placement, toy_optimizer(to.settings), world, to.options);
    engine.for_each_slice([&](const StateSlice& slice) {
      const auto& values = saved.at(slice.parameter->name + "/" + slice.state);
      std::copy_n(values.begin() + slice.begin, slice.count, reinterpret_cast<float*>(slice.data));
    });
    engine.publish();
    for (int step = 4; step <= 5; ++step)
      EXPECT_NEAR(
          engine.train(toy_step(to, world.rank(), step)).loss / reference[static_cast<std::size_t>(step - 1)],
          1.0, 1e-5);
  });
}

TEST(Engine, RefusesWhatItCannotDoYet) {
  comm::run_ranks(2, [&](comm::World& world) {
    for (const char* name : {"zero_infinity"})
      EXPECT_THROW(Engine(toy_model({}), preset(name, Codec::fp32), toy_optimizer({}), world), Error) << name;
  });
}

}  // namespace
}  // namespace trireme::sharding::tests
