#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "sharding/input_store.h"
#include "sharding/predict/costs.h"
#include "sharding/predict/memory.h"
#include "sharding/presets.h"
#include "tests/comm/pretend_device.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

ToyJob recomputing(const char* name, Codec codec, int ranks, int micro_batches) {
  ToyJob job;
  job.placement = preset(name, codec);
  job.placement.activations = Activations::recomputed;
  job.ranks = ranks;
  job.micro_batches = micro_batches;
  job.shape.blocks = 6;
  job.shape.side_loss = true;
  job.settings.steps = 3;
  return job;
}

int count(const Schedule& schedule, OpKind kind) {
  return static_cast<int>(
      std::count_if(schedule.ops.begin(), schedule.ops.end(), [&](const Op& op) { return op.kind == kind; }));
}

TEST(Inputs, OnTheHostTrainToTheBitsOfThoseThatStay) {
  int number = 0;
  for (const Codec codec : {Codec::fp32, Codec::bf16})
    for (const char* name : {"ddp", "zero3"})
      for (const int ranks : {1, 2, 4})
        for (const int micro_batches : {1, 3}) {
          ToyJob job = recomputing(name, codec, ranks, micro_batches);
          job.options.unit_major = ranks == 2 && micro_batches > 1;
          if (ranks == 1) job.placement.activations = Activations::recomputed_except_attention;
          if (ranks == 4) job.settings.max_norm = 0.5;
          const ToyRun stayed = train_on_ranks(job);
          job.placement.activation_tier = Tier::host;
          job.options.input_depth = number++ % 3;
          const ToyRun moved = train_on_ranks(job, [&](Engine& engine, int) {
            const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, micro_batches);
            EXPECT_GT(count(step, OpKind::park), 0);
            EXPECT_EQ(count(step, OpKind::park), count(step, OpKind::recall));
            EXPECT_GT(engine.memory().tiers.inputs, 0u);
          });
          expect_same_bits(moved, stayed,
                           fmt::format("{} {} on {}, {} micro-batches, depth {}: ", name, name_of(codec),
                                       ranks, micro_batches, job.options.input_depth));
        }
}

TEST(Inputs, StallsOnAnyLaneChangeNoBit) {
  ToyJob job = recomputing("zero3", Codec::bf16, 2, 2);
  const ToyRun calm = train_on_ranks(job);
  job.placement.activation_tier = Tier::host;
  job.options.input_depth = 2;
  std::atomic<std::uint32_t> state{1};
  job.before_each = [&state](const Schedule&, int) {
    const std::uint32_t drawn = state.fetch_add(0x9e3779b9u) * 0x85ebca6bu >> 16;
    if (drawn % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(drawn % 700));
  };
  expect_same_bits(train_on_ranks(job), calm, "stalled");
}

/// Two tensors of one size flow between the toy's units, counted as one input.
ModelWork work_of_toy(const ToyJob& job) {
  constexpr std::uint64_t tensors = 2, tokens_in_a_row = 9;
  const auto rows = static_cast<std::uint64_t>(job.settings.rows / (job.ranks * job.micro_batches));
  const auto width = static_cast<std::uint64_t>(job.shape.width);
  ModelWork work;
  work.units.resize(static_cast<std::size_t>(job.shape.blocks) + 2);
  for (std::size_t unit = 0; unit < work.units.size(); ++unit) {
    const std::uint64_t bytes =
        tensors * rows * tokens_in_a_row * width * size_of(dtype_of(job.placement.parameters.codec));
    if (unit > 0) work.units[unit].input_bytes = bytes;
    if (unit + 1 < work.units.size()) work.units[unit].output_bytes = bytes;
  }
  return work;
}

TEST(Inputs, TakeTheForetoldBytesOfTheHost) {
  for (const bool unit_major : {false, true})
    for (const Codec codec : {Codec::fp32, Codec::bf16}) {
      ToyJob job = recomputing("zero2", codec, 2, 2);
      job.placement.activation_tier = Tier::host;
      job.options.unit_major = unit_major;
      const ModelWork work = work_of_toy(job);
      train_on_ranks(job, [&](Engine& engine, int) {
        const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
        const auto states = toy_optimizer(job.settings)->states();
        const auto memory = forecast_memory(engine.blueprint(), job.placement, step, states, work);
        EXPECT_EQ(memory.of("parked unit inputs"), engine.memory().tiers.inputs);
        EXPECT_GT(engine.memory().tiers.inputs, 0u);
        // Without accumulation in between, a place serves one micro-batch after another.
        const int places = unit_major ? 2 * job.shape.blocks : job.shape.blocks;
        EXPECT_LE(step.host_inputs, places);
        EXPECT_GE(step.host_inputs, places - 2);
      });
    }
}

TEST(Inputs, LeaveTheDeviceWithAFewOfThem) {
  ScheduleFacts facts;
  for (int unit = 0; unit < 40; ++unit) {
    facts.groups.push_back({"group", 64, 4, true});
    facts.units.push_back({"unit", {unit}});
  }
  ModelWork work;
  work.units.resize(40);
  for (std::size_t unit = 0; unit < 40; ++unit) {
    if (unit > 0) work.units[unit].input_bytes = 100;
    if (unit < 39) work.units[unit].output_bytes = 100;
  }
  ScheduleOptions options{.activations = Activations::recomputed};
  const auto stays = activation_peak(build_schedule(facts, options), work);
  options.input_tier = Tier::host;
  const Schedule moving = build_schedule(facts, options);
  const auto moves = activation_peak(moving, work);
  EXPECT_GT(stays.bytes(), 39u * 100);
  // Two places, what the unit makes and what it was given, and gradients of both.
  EXPECT_LE(moves.bytes(), 7u * 100);
  EXPECT_EQ(host_input_bytes(moving, work), 100u * static_cast<unsigned>(moving.host_inputs));
}

TEST(Inputs, GoToTheHostWhileOthersComeBack) {
  ScheduleFacts facts;
  ModelWork work;
  for (int unit = 0; unit < 6; ++unit) {
    facts.groups.push_back({"group", 64, 4, true});
    facts.units.push_back({"unit", {unit}});
    work.units.emplace_back().input_bytes = unit > 0 ? 100 : 0;
  }
  Placement placement = preset("zero2", Codec::bf16);
  placement.activation_tier = Tier::host;
  const Schedule step =
      build_schedule(facts, {.activations = Activations::recomputed, .input_tier = Tier::host});
  const auto costs = costs_of(step, placement, work, known_machine("h100-80g"), {1, 1});
  for (std::size_t i = 0; i < step.ops.size(); ++i) {
    if (step.ops[i].kind == OpKind::park) {
      EXPECT_EQ(costs[i].carrier, Carrier::device_to_host);
    } else if (step.ops[i].kind == OpKind::recall) {
      EXPECT_EQ(costs[i].carrier, Carrier::host_to_device);
    }
  }
  EXPECT_GT(count(step, OpKind::park), 0);
}

TEST(Inputs, ThatNothingWillComputeAgainAreRefused) {
  Placement placement = preset("zero2", Codec::bf16);
  placement.activation_tier = Tier::host;
  const auto found = misfits(placement, {2, 2});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.front().nearest, "placement.activations=recomputed");
}

TEST(Inputs, KeepSizesStridesAndTypesAndUseTheirMemoryAgain) {
  offload::Pool pool(std::make_unique<offload::LockedPages>(offload::HostMemoryOptions{}));
  InputStore store(pool);
  ArrayLane lane;
  store.open(2);
  const at::Tensor base = at::arange(24, at::kFloat).reshape({2, 3, 4});
  for (int round = 0; round < 3; ++round) {
    Activation input{base.transpose(0, 2), {base.to(at::kBFloat16), {}, base.narrow(2, 1, 2)}, {}};
    const Activation before = input;
    store.park(1, input, lane);
    EXPECT_FALSE(input.hidden.defined());
    store.recall(1, input, lane);
    EXPECT_TRUE(at::equal(input.hidden, before.hidden));
    EXPECT_EQ(input.hidden.strides(), before.hidden.strides());
    EXPECT_NE(input.hidden.data_ptr(), before.hidden.data_ptr());
    EXPECT_EQ(input.more[0].scalar_type(), at::kBFloat16);
    EXPECT_TRUE(at::equal(input.more[0], before.more[0]));
    EXPECT_FALSE(input.more[1].defined());
    EXPECT_TRUE(at::equal(input.more[2], before.more[2]));
    EXPECT_EQ(store.bytes(), 24u * 4 + 24 * 2 + 12 * 4);
  }
  EXPECT_EQ(pool.use().allocations, 3u);
}

/// The host faults where it touches this device's memory, so every byte goes through a stream.
TEST(Inputs, OfADeviceGoThroughItsStreamsAndPinnedMemory) {
  trireme::tests::PretendDevice device;
  offload::Pool pool(std::make_unique<offload::DevicePages>(device));
  EXPECT_EQ(pool.kind(), "pinned");
  InputStore store(pool);
  ArrayLane lane(&device);
  store.open(1);
  const Buffer memory = device.allocate(4096);
  const auto values = at::arange(16, at::kFloat);
  device.make_stream(Priority::normal)->copy(memory.data(), values.data_ptr(), values.nbytes());
  Activation input{at::from_blob(memory.data(), {4, 4}, at::kFloat), {}, {}};
  store.park(0, input, lane);
  store.recall(0, input, lane);
  EXPECT_TRUE(at::equal(input.hidden, values.reshape({4, 4})));
}

}  // namespace
}  // namespace trireme::sharding::tests
