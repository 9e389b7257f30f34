#include "tests/sharding/device_engine.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <future>
#include <optional>
#include <thread>

#include "optim/sgd.h"
#include "sharding/channel.h"
#include "sharding/predict/memory.h"
#include "sharding/predict/recorder.h"
#include "tests/offload/scratch.h"

namespace trireme::sharding::tests {
namespace {

TEST_F(DeviceEngine, TrainsEveryPresetAsTheHostDoes) {
  int number = 0;
  for (const char* name : {"ddp", "zero1", "zero2", "zero3", "fsdp_grad_op", "hsdp", "hpz", "qlora_fsdp"})
    for (const Codec codec : {Codec::fp32, Codec::bf16}) {
      ToyJob job = job_of(name, codec);
      job.micro_batches = 1 + number % 3;
      job.shape.tied = number % 2 == 0;
      job.shape.frozen_blocks = number % 4 == 3;
      job.placement.activations = number % 3 ? Activations::recomputed : Activations::kept;
      if (++number % 2) job.settings.max_norm = 0.5;
      job.options.update_when_reduced = !job.settings.max_norm && number % 4 == 0;
      expect_equal(train(job, true), train(job, false), codec == Codec::fp32 ? 1e-6 : 1e-5,
                   fmt::format("{} {}", name, name_of(codec)));
    }
}

TEST_F(DeviceEngine, QuantisesWhatItSendsWhereItIs) {
  expect_equal(train(job_of("zeropp", Codec::bf16), true), train(job_of("zeropp", Codec::bf16), false), 1e-4,
               "zeropp");
}

TEST_F(DeviceEngine, QuantisedWiresDoNotHoldTheirThreadUp) {
  constexpr std::int64_t each = 700;
  const int ranks = site_->hosts().size();
  comm::Group everyone;
  for (int rank = 0; rank < ranks; ++rank) everyone.ranks.push_back(rank);
  std::vector<float> values(static_cast<std::size_t>(each * ranks));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((i * 37 + static_cast<std::size_t>(rank()) * 11) % 101) - 50.0f;
  Device& device = site_->device();
  for (const Wire wire : {Wire::int8, Wire::int8_two_hop, Wire::int4_two_hop}) {
    const bool gathers = wire == Wire::int8;
    Channel channel(site_->world(), everyone, wire, {}), on_host(site_->hosts(), everyone, wire, {});
    channel.reserve(values.size()), on_host.reserve(values.size());
    const auto carry_out = [&](Channel& over, ArrayLane& lane, float* in, float* out) {
      gathers ? over.gather(lane, in, out, each, DType::f32) : over.reduce_scatter(lane, in, out, each);
    };
    std::vector<float> wanted(values.size()), found(values.size());
    ArrayLane thread;
    carry_out(on_host, thread, values.data(), wanted.data());

    const std::size_t bytes = values.size() * sizeof(float);
    const Buffer in = device.allocate(bytes), out = device.allocate(bytes);
    ArrayLane lane(&device, [&] { channel.check(); });
    lane.write(in.data(), values.data(), bytes);
    lane.clear(out.data(), bytes), lane.finish();
    HostFlag gate(device);
    const auto other = device.make_stream();
    const auto opened = device.make_event();
    other->wait(gate, 1), other->record(*opened);
    lane.wait(*opened);
    auto returned =
        std::async(std::launch::async, [&] { carry_out(channel, lane, in.as<float>(), out.as<float>()); });
    EXPECT_EQ(returned.wait_for(std::chrono::seconds(20)), std::future_status::ready) << name_of(wire);
    gate.advance_to(1);
    returned.get();
    lane.read(found.data(), out.data(), bytes);
    const auto count = static_cast<std::ptrdiff_t>(gathers ? values.size() : each);
    EXPECT_TRUE(std::equal(wanted.begin(), wanted.begin() + count, found.begin())) << name_of(wire);
  }
}

/// What the step that is trained next makes the host wait.
template <typename Train>
HostWaits waits_of(const Device& device, const Train& train) {
  const HostWaits before = device.waits();
  train();
  return device.waits() - before;
}

TEST_F(DeviceEngine, RecordsAStepWithoutWaitingForIt) {
  ToyJob job = job_of("zero3", Codec::bf16);
  job.micro_batches = 2, job.ranks = site_->hosts().size();
  const ComputingOn computing(site_->device());
  job.options.tiers.device = &site_->device(), job.options.hosts = &site_->hosts();
  Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), site_->world(),
                job.options);
  engine.load(read_starting_values());
  const auto train = [&] { engine.train(toy_step(job, rank(), 1)); };
  train();
  const HostWaits unrecorded = waits_of(site_->device(), train);
  const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
  StepRecorder recorder(engine.executor());
  recorder.begin(step);
  const HostWaits recorded = waits_of(site_->device(), train);
  EXPECT_EQ(recorded.streams, unrecorded.streams);
  EXPECT_EQ(recorded.memory, 0u);
  EXPECT_EQ(recorder.waits().streams, recorded.streams);

  const Timeline timeline = recorder.timeline();
  ASSERT_EQ(timeline.ops.size(), step.ops.size());
  // Events count in millionths of what has passed since the first.
  const double rounding = 1e-6 + 1e-6 * timeline.step_s();
  std::array<double, lane_count> lane_end{};
  double busy = 0;
  for (std::size_t i = 0; i < step.ops.size(); ++i) {
    const Op& op = step.ops[i];
    const Interval& took = timeline.ops[i];
    if (op.kind == OpKind::snapshot) continue;
    busy += took.seconds();
    auto& end = lane_end[static_cast<std::size_t>(op.lane)];
    EXPECT_GE(took.begin_s, end - rounding);
    EXPECT_GE(took.end_s, took.begin_s);
    for (const int wait : op.waits)
      EXPECT_GE(took.begin_s, timeline.ops[static_cast<std::size_t>(wait)].end_s - rounding);
    end = took.end_s;
  }
  EXPECT_GT(busy, 0);
}

TEST_F(DeviceEngine, TheNormWaitsOnceHoweverManyGroupsThereAre) {
  std::vector<std::uint64_t> waits;
  for (const int blocks : {2, 5}) {
    ToyJob job = job_of("zero2", Codec::fp32);
    job.shape.blocks = blocks, job.ranks = site_->hosts().size();
    const ComputingOn computing(site_->device());
    job.options.tiers.device = &site_->device(), job.options.hosts = &site_->hosts();
    Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), site_->world(),
                  job.options);
    engine.load(read_starting_values());
    const auto train = [&] { engine.train(toy_step(job, rank(), 1)); };
    train();
    waits.push_back(waits_of(site_->device(), train).streams);
  }
  EXPECT_EQ(waits[0], waits[1]);
}

TEST_F(DeviceEngine, UpdatesOnTheHostWhatLiesThere) {
  for (const Codec codec : {Codec::fp32, Codec::bf16, Codec::fp16})
    for (const char* name : {"ddp", "zero2", "zero3"}) {
      ToyJob job = job_of(name, codec);
      job.placement.optimizer.tier = Tier::host;
      job.settings.max_norm = 0.5;
      const Trained stayed = train(job, false);
      expect_equal(train(job, true), stayed, 1e-5, fmt::format("{} {}", name, name_of(codec)));
    }
}

TEST_F(DeviceEngine, SendsInputsToTheHostAndBack) {
  ToyJob job = job_of("zero3", Codec::bf16);
  job.placement.activations = Activations::recomputed;
  job.micro_batches = 2;
  const Trained stayed = train(job, true);
  job.placement.activation_tier = Tier::host;
  job.options.input_depth = 2;
  expect_equal(train(job, true), stayed, 0, "inputs on the host");
}

TEST_F(DeviceEngine, StateOnDrives) {
  const offload::tests::Scratch scratch;
  for (const Tier parameters : {Tier::device, Tier::nvme}) {
    ToyJob job = job_of("zero3", Codec::bf16);
    job.placement.optimizer.tier = Tier::nvme;
    job.placement.parameters.tier = parameters;
    job.options.tiers.nvme_paths = {scratch.path()};
    job.options.tiers.part_elements = 1024;
    const Trained stayed = train(job, false);
    expect_equal(train(job, true), stayed, 1e-5, fmt::format("parameters' tier {}", name_of(parameters)));
  }
}

TEST_F(DeviceEngine, RefusesParametersOnDrivesBesideStateOnTheDevice) {
  ToyJob job = job_of("zero3", Codec::bf16);
  job.placement.parameters.tier = Tier::nvme;
  try {
    train(job, true);
    FAIL() << "it was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_NE(std::string(error.what()).find("placement.optimizer.tier=host"), std::string::npos)
        << error.what();
  }
}

TEST_F(DeviceEngine, StallsOnAnyLaneChangeNoBit) {
  ToyJob job = job_of("zero3", Codec::bf16);
  job.micro_batches = 2;
  job.options.prefetch_depth = job.options.reduce_depth = 2;
  const Trained calm = train(job, true);
  std::atomic<std::uint32_t> state{1};
  job.before_each = [&state](const Schedule&, int) {
    const std::uint32_t drawn = state.fetch_add(0x9e3779b9u) * 0x85ebca6bu >> 16;
    if (drawn % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(drawn % 1500));
  };
  expect_equal(train(job, true), calm, 0, "stalled");
}

int count(const Schedule& schedule, OpKind kind) {
  return static_cast<int>(
      std::count_if(schedule.ops.begin(), schedule.ops.end(), [&](const Op& op) { return op.kind == kind; }));
}

/// That it keeps on each tier what is foretold of it, to the byte.
Watch counting(const ToyJob& job, int& lifts) {
  return {{}, [&job, &lifts](Engine& engine) {
            const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
            lifts += count(step, OpKind::lift);
            EXPECT_GT(count(step, OpKind::lower), 0);
            const auto states = toy_optimizer(job.settings)->states();
            const MemoryForecast memory =
                forecast_memory(engine.blueprint(), job.placement, step, states, {});
            const MemoryUse found = engine.memory();
            EXPECT_EQ(memory.of("gradient slots"), found.gradient_slots);
            const TierBytes totals = memory.totals();
            EXPECT_EQ(totals[static_cast<std::size_t>(Tier::device)],
                      found.states + found.parameter_slots + found.gradient_slots + found.landing);
            EXPECT_EQ(totals[static_cast<std::size_t>(Tier::host)], found.host());
            EXPECT_EQ(found.host_gradients, 0u);
          }};
}

TEST_F(DeviceEngine, GradientsOnTheHostTrainToTheBitsOfThoseOnTheDevice) {
  int number = 0, lifts = 0;
  for (const char* name : {"ddp", "zero1", "zero3", "hsdp"})
    for (const Codec codec : {Codec::fp32, Codec::bf16}) {
      ToyJob job = job_of(name, codec);
      job.placement.optimizer.tier = Tier::host;
      job.micro_batches = 1 + number % 3;
      job.options.unit_major = number % 4 == 1;
      job.options.reduce_depth = number % 3;
      job.shape.tied = number % 2 == 0;
      job.shape.frozen_blocks = number % 4 == 3;
      job.shape.blocks = 5;
      job.settings.steps = 2;
      if (number % 3 != 1) job.settings.max_norm = 0.5;
      job.options.update_when_reduced = !job.settings.max_norm;
      ++number;
      const Trained stayed = train(job, true);
      job.placement.gradients.tier = Tier::host;
      const Trained moved = train(job, true, nullptr, counting(job, lifts));
      const std::string what = fmt::format("{} {}", name, name_of(codec));
      expect_equal(moved, stayed, 0, what);
      expect_equal(moved, train(job, false), 1e-5, what + " on the host");
    }
  EXPECT_GT(lifts, 0);
}

TEST_F(DeviceEngine, GradientsOnTheHostOfOtherStates) {
  const offload::tests::Scratch scratch;
  int lifts = 0;
  for (const char* name : {"zero_offload", "zero_infinity", "paged"}) {
    ToyJob job = job_of(std::string_view(name) == "paged" ? "zero2" : name, Codec::bf16);
    job.micro_batches = 2;
    job.settings.max_norm = 0.5;
    job.options.tiers.nvme_paths = {scratch.path()};
    job.options.tiers.part_elements = 1024;
    if (std::string_view(name) == "paged") {
      job.placement.optimizer.tier = Tier::host;
      job.placement.device_state_bytes = 12000 / static_cast<std::uint64_t>(site_->hosts().size());
    }
    job.placement.gradients.tier = Tier::device;
    const Trained stayed = train(job, true);
    job.placement.gradients.tier = Tier::host;
    Watch watch = counting(job, lifts);
    if (std::string_view(name) == "zero_infinity") watch.afterwards = {};
    expect_equal(train(job, true, nullptr, watch), stayed, 0, name);
  }
}

TEST_F(DeviceEngine, AnOverflowUpdatesNothingWithGradientsOnTheHost) {
  ToyJob job = job_of("zero2", Codec::fp32);
  job.micro_batches = 2;
  job.placement.optimizer.tier = job.placement.gradients.tier = Tier::host;
  job.settings.steps = 1;
  const Trained without = train(job, true);
  job.settings.steps = 2;
  const Watch spoils{[](int step, StepInput& input) {
                       if (step == 2) input.micro_batches.back().loss_weight *= INFINITY;
                     },
                     {}};
  Trained spoilt = train(job, true, nullptr, spoils);
  EXPECT_EQ(spoilt.overflows, 1);
  spoilt.losses.pop_back(), spoilt.norms.pop_back();
  expect_equal(spoilt, without, 0, "overflow");
}

TEST_F(DeviceEngine, StallsChangeNoBitOfGradientsOnTheHost) {
  for (const bool at_once : {false, true}) {
    ToyJob job = job_of("zero2", Codec::bf16);
    job.micro_batches = 3;
    job.shape.blocks = 6;
    job.placement.optimizer.tier = job.placement.gradients.tier = Tier::host;
    job.options.update_when_reduced = at_once;
    const Trained calm = train(job, true);
    std::atomic<std::uint32_t> state{1};
    job.before_each = [&state](const Schedule&, int) {
      const std::uint32_t drawn = state.fetch_add(0x9e3779b9u) * 0x85ebca6bu >> 16;
      if (drawn % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(drawn % 1500));
    };
    expect_equal(train(job, true), calm, 0, "stalled");
  }
}

TEST_F(DeviceEngine, RefusesGradientsOnTheHostBesideStateOnTheDevice) {
  ToyJob job = job_of("zero2", Codec::bf16);
  job.placement.gradients.tier = Tier::host;
  try {
    train(job, true);
    FAIL() << "it was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_NE(std::string(error.what()).find("placement.optimizer.tier=host"), std::string::npos)
        << error.what();
  }
}

TEST_F(DeviceEngine, OtherOptimizers) {
  const auto eight = [] { return std::make_unique<optim::AdamW8>(optim::AdamWSettings{}); };
  const auto sgd = [] {
    optim::SgdSettings settings;
    settings.momentum = 0.9;
    return std::make_unique<optim::Sgd>(settings);
  };
  const ToyJob job = job_of("zero2", Codec::bf16);
  expect_equal(train(job, true, eight()), train(job, false, eight()), 1e-4, "8-bit AdamW");
  expect_equal(train(job, true, sgd()), train(job, false, sgd()), 1e-5, "SGD");
}

}  // namespace
}  // namespace trireme::sharding::tests
