#include "sharding/paging.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sharding/predict/forecast.h"
#include "sharding/presets.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

std::uint64_t on(const std::vector<StatePlace>& places, Tier tier) {
  std::uint64_t bytes = 0;
  for (const StatePlace& place : places) bytes += place.tier == tier ? place.bytes : 0;
  return bytes;
}

std::uint64_t on(const MemoryForecast& memory, Tier tier) {
  std::uint64_t bytes = 0;
  for (const MemoryLine& line : memory.standing)
    if (line.tier == tier && (line.what == "master weights" || line.what == "optimizer state"))
      bytes += line.bytes;
  return bytes;
}

TEST(Paging, StateOfBothTiersTrainsToTheBitsOfStateOnTheDevice) {
  for (const Codec codec : {Codec::fp32, Codec::bf16})
    for (const char* name : {"ddp", "zero2"})
      for (const int ranks : {1, 2, 4}) {
        ToyJob job;
        job.placement = preset(name, codec);
        job.ranks = ranks, job.micro_batches = 1 + ranks % 3;
        job.settings.steps = 3;
        if (ranks == 2) job.settings.max_norm = 0.5;
        const ToyRun device = train_on_ranks(job);
        job.placement.optimizer.tier = Tier::host;
        const auto states = toy_optimizer(job.settings)->states();
        for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{9000}, whatever_fits}) {
          job.placement.device_state_bytes = bytes;
          const ToyRun paged = train_on_ranks(job, [&](Engine& engine, int) {
            const auto places = state_places(engine.blueprint(), states);
            EXPECT_LE(on(places, Tier::device), bytes);
            EXPECT_EQ(on(places, Tier::host) > 0, bytes != whatever_fits);
            EXPECT_EQ(on(places, Tier::device) > 0, bytes != 0);
            const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
            const auto memory = forecast_memory(engine.blueprint(), job.placement, step, states, {});
            EXPECT_EQ(on(memory, Tier::device), on(places, Tier::device));
            EXPECT_EQ(on(memory, Tier::host), on(places, Tier::host));
            const TierUse use = engine.memory().tiers;
            EXPECT_EQ(use.pool.asked.now, on(places, Tier::host));
            EXPECT_GE(use.pool.reserved.now, use.pool.given.now);
          });
          expect_same_bits(paged, device,
                           fmt::format("{} {} on {}, {} bytes: ", name, name_of(codec), ranks, bytes));
        }
      }
}

using Bytes = std::vector<std::byte>;

/// Everything that a rank keeps, in the order in which it is handed out.
std::vector<Bytes> state_of(Engine& engine) {
  std::vector<Bytes> kept;
  engine.for_each_slice([&](const StateSlice& slice) { slice.read(0, kept.emplace_back(slice.bytes())); });
  return kept;
}

std::unique_ptr<const Optimizer> eight_bits() {
  return std::make_unique<optim::AdamW8>(optim::AdamWSettings{});
}

/// Steps under one budget and, with the state taken over, further ones under the next.
std::vector<std::vector<Bytes>> under_budgets(ToyJob job, const std::vector<std::uint64_t>& budgets) {
  std::vector<std::vector<Bytes>> of_rank(static_cast<std::size_t>(job.ranks));
  int step = 0;
  for (const std::uint64_t budget : budgets) {
    job.placement.optimizer.tier = Tier::host;
    job.placement.device_state_bytes = budget;
    comm::run_ranks(job.ranks, [&](comm::World& world) {
      Engine engine(toy_model(job.shape), job.placement, eight_bits(), world, job.options);
      engine.load(read_starting_values());
      auto& kept = of_rank[static_cast<std::size_t>(world.rank())];
      std::size_t next = 0;
      if (!kept.empty()) {
        engine.for_each_slice([&](const StateSlice& slice) { slice.write(0, kept[next++]); });
        engine.publish();
      }
      for (int more = 1; more <= job.settings.steps; ++more)
        engine.train(toy_step(job, world.rank(), step + more));
      const auto places = state_places(engine.blueprint(), eight_bits()->states());
      EXPECT_LE(on(places, Tier::device), budget);
      EXPECT_EQ(on(places, Tier::host) > 0, budget != whatever_fits);
      kept = state_of(engine);
    });
    step += job.settings.steps;
  }
  return of_rank;
}

TEST(Paging, EightBitStateUnderPressureHasTheBitsOfStateOnTheDevice) {
  for (const Codec codec : {Codec::fp32, Codec::bf16})
    for (const char* name : {"ddp", "zero2"})
      for (const int ranks : {1, 2}) {
        ToyJob job;
        job.placement = preset(name, codec);
        job.ranks = ranks;
        job.settings.steps = 3;
        if (ranks == 2) job.settings.max_norm = 0.5;
        const auto device = under_budgets(job, {whatever_fits});
        for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{3000}, std::uint64_t{6000}})
          EXPECT_EQ(under_budgets(job, {bytes}), device) << name << " " << name_of(codec) << " " << bytes;
      }
}

TEST(Paging, StateOfOneBudgetGoesOnUnderAnother) {
  for (const Codec codec : {Codec::fp32, Codec::bf16}) {
    ToyJob job;
    job.placement = preset("zero2", codec);
    job.ranks = 2;
    job.settings.steps = 2;
    const auto whole = under_budgets(job, {whatever_fits, whatever_fits, whatever_fits});
    EXPECT_EQ(under_budgets(job, {0, 3000, whatever_fits}), whole) << name_of(codec);
    EXPECT_EQ(under_budgets(job, {6000, whatever_fits, 0}), whole) << name_of(codec);
  }
}

/// Groups of 100, 60, 60, 20 and 1 thousand elements.
struct Five {
  Model model;
  Five() {
    for (const std::int64_t size : {100, 60, 60, 20, 1}) {
      const std::string name = "group." + std::to_string(model.groups.size());
      model.groups.push_back({name, {{name, {size * 1000}}}, true, {}});
    }
  }
  Blueprint blueprint(const Placement& placement) const {
    Blueprint made;
    made.facts.world = 1;
    for (const ParamGroup& group : model.groups) {
      GroupFacts facts;
      facts.name = group.name, facts.state_tier = placement.optimizer.tier;
      made.layouts.emplace_back(group.parameters, 1, Granule::element());
      facts.elements = static_cast<std::uint64_t>(made.layouts.back().elements());
      made.stored.push_back(DType::f32);
      made.splits_master.push_back(0);
      made.partitions.emplace_back(1, std::vector{1});
      made.facts.groups.push_back(facts);
    }
    return made;
  }
};

TEST(Paging, GroupsStayInTheModelsOrderWhileTheyFit) {
  const Five five;
  Placement placement = preset("zero2", Codec::fp32);
  placement.optimizer.tier = Tier::host;
  const std::vector<StateKind> states{{"m", DType::f32, 1}, {"v", DType::f32, 1}};
  const auto tiers_with = [&](std::uint64_t thousands) {
    placement.device_state_bytes = thousands * 8200;
    Blueprint blueprint = five.blueprint(placement);
    page_states(blueprint, states, placement);
    std::string tiers;
    for (const StatePlace& place : state_places(blueprint, states))
      tiers += place.tier == Tier::device ? 'd' : 'h';
    return tiers;
  };
  EXPECT_EQ(tiers_with(0), "hhhhh");
  EXPECT_EQ(tiers_with(1), "hhhhd");
  EXPECT_EQ(tiers_with(80), "hdhdd");
  EXPECT_EQ(tiers_with(125), "dhhdd");
  EXPECT_EQ(tiers_with(241), "ddddd");
}

/// A device that all but the state leaves half of the state's room.
TEST(Paging, TheForecastFillsWhatTheDeviceHasLeft) {
  ToyJob job;
  const Model model = toy_model(job.shape);
  Subject subject;
  subject.model = &model;
  subject.states = toy_optimizer(job.settings)->states();
  subject.work = [&](std::int64_t) {
    ModelWork work;
    work.units.resize(model.units.size());
    work.tokens = 1;
    return work;
  };
  Setting setting;
  setting.placement = preset("zero2", Codec::bf16);
  Machine machine;
  machine.memory_bytes = machine.host_memory_bytes = 1e9;
  const auto device = [](const Forecast& made) {
    return made.memory.totals()[static_cast<std::size_t>(Tier::device)];
  };
  setting.placement.optimizer.tier = Tier::host;
  setting.placement.device_state_bytes = std::uint64_t{1} << 40;
  const std::uint64_t all = device(forecast(subject, machine, setting));
  setting.placement.device_state_bytes.reset();
  const std::uint64_t least = device(forecast(subject, machine, setting));
  ASSERT_LT(least, all);
  setting.placement.device_state_bytes = whatever_fits;
  EXPECT_EQ(device(forecast(subject, machine, setting)), all);
  machine.memory_bytes = static_cast<double>(least + (all - least) / 2);
  const Forecast paged = forecast(subject, machine, setting);
  EXPECT_TRUE(paged.fits) << paged.reason;
  EXPECT_LE(device(paged), least + (all - least) / 2);
  EXPECT_EQ(device(paged), least + on(paged.state_places, Tier::device));
  EXPECT_GT(on(paged.state_places, Tier::device), 0u);
  EXPECT_GT(on(paged.state_places, Tier::host), 0u);
  EXPECT_EQ(paged.setting.placement.device_state_bytes, (all - least) / 2);
}

TEST(Paging, IsOfStateWhoseTierIsTheHost) {
  Placement placement = preset("zero2", Codec::bf16);
  placement.device_state_bytes = 1;
  const auto found = misfits(placement, {2, 2});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.front().nearest, "placement.optimizer.tier=host");
}

}  // namespace
}  // namespace trireme::sharding::tests
