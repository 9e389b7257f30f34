#include "sharding/predict/simulate.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sharding/passes/passes.h"
#include "sharding/predict/costs.h"
#include "sharding/presets.h"

namespace trireme::sharding {
namespace {

Op op_on(OpKind kind, OpLane lane, std::vector<int> waits = {}, int communicator = -1) {
  Op op;
  op.kind = kind, op.lane = lane, op.waits = std::move(waits), op.communicator = communicator;
  return op;
}

Schedule of_ops(std::vector<Op> ops) {
  Schedule schedule;
  schedule.ops = std::move(ops);
  return schedule;
}

TEST(Simulate, AnOpWaitsForItsLaneAndForWhatItWaitsFor) {
  const Schedule schedule =
      of_ops({op_on(OpKind::gather, OpLane::gather, {}, 0), op_on(OpKind::gather, OpLane::gather, {}, 0),
              op_on(OpKind::forward, OpLane::compute, {0}), op_on(OpKind::forward, OpLane::compute, {1})});
  const Timeline timeline = simulate(schedule, {{0, 2}, {1, 2}, {0, 4}, {0, 1}});
  EXPECT_DOUBLE_EQ(timeline.ops[2].begin_s, 2);
  EXPECT_DOUBLE_EQ(timeline.ops[1].end_s, 5);
  EXPECT_DOUBLE_EQ(timeline.ops[3].begin_s, 6);
  EXPECT_DOUBLE_EQ(timeline.step_s(), 7);
  EXPECT_DOUBLE_EQ(exposed_communication(schedule, timeline), 2);
  EXPECT_THAT(critical_path(schedule, timeline), testing::ElementsAre(0, 2, 3));
}

TEST(Simulate, OpsOnOneCarrierShareItAndDelaysDoNot) {
  const Schedule schedule =
      of_ops({op_on(OpKind::gather, OpLane::gather, {}, 0), op_on(OpKind::reduce, OpLane::reduce, {}, 0)});
  const Carrier link = Carrier::across_nodes;
  const Timeline shared = simulate(schedule, {{0, 3, link}, {0, 1, link}});
  EXPECT_DOUBLE_EQ(shared.ops[1].end_s, 2);  // half the rate
  EXPECT_DOUBLE_EQ(shared.ops[0].end_s, 4);  // two seconds at half, two alone
  const Timeline apart = simulate(schedule, {{0, 3, link}, {0, 1, Carrier::inside_node}});
  EXPECT_DOUBLE_EQ(apart.step_s(), 3);
  const Timeline delayed = simulate(schedule, {{5, 1, link}, {0, 5, link}});
  EXPECT_DOUBLE_EQ(delayed.ops[1].end_s, 5);
  EXPECT_DOUBLE_EQ(delayed.ops[0].end_s, 6);
}

TEST(Simulate, ComputationIsSlowedWhileACollectiveRuns) {
  const Schedule schedule =
      of_ops({op_on(OpKind::gather, OpLane::gather, {}, 0), op_on(OpKind::forward, OpLane::compute)});
  const Timeline timeline = simulate(schedule, {{0, 3}, {0, 4}}, {.compute_beside_collective = 0.5});
  EXPECT_DOUBLE_EQ(timeline.step_s(), 5);  // three seconds do the work of two
}

TEST(Simulate, CodecsTakeCoresFromComputationAndLinksDoNot) {
  const Schedule schedule =
      of_ops({op_on(OpKind::gather, OpLane::gather, {}, 0), op_on(OpKind::forward, OpLane::compute)});
  const std::vector<OpCost> costs{{0, 4, Carrier::across_nodes, 2}, {0, 6}};
  const Timeline shared = simulate(schedule, costs, {.lanes_share_cores = true});
  EXPECT_DOUBLE_EQ(shared.ops[0].end_s, 8);  // four seconds for the cores' two, then the link's four
  EXPECT_DOUBLE_EQ(shared.ops[1].end_s, 8);  // two in the first four, then alone
  const Timeline apart = simulate(schedule, costs);
  EXPECT_DOUBLE_EQ(apart.ops[0].end_s, 6);
  EXPECT_DOUBLE_EQ(apart.ops[1].end_s, 6);
}

TEST(Simulate, LanesThatShareCoresTakeTheirSum) {
  const Schedule schedule =
      of_ops({op_on(OpKind::update, OpLane::cpu_update), op_on(OpKind::backward, OpLane::compute),
              op_on(OpKind::gather, OpLane::gather, {}, 0)});
  const Sharing cores{.lanes_share_cores = true};
  EXPECT_DOUBLE_EQ(simulate(schedule, {{0, 3}, {0, 4}, {0, 0}}).step_s(), 4);
  EXPECT_DOUBLE_EQ(simulate(schedule, {{0, 3}, {0, 4}, {0, 0}}, cores).step_s(), 7);
  EXPECT_DOUBLE_EQ(simulate(schedule, {{0, 3}, {0, 4}, {0, 2, Carrier::inside_node}}, cores).step_s(), 9);
  // What crosses nodes waits for the link, not for a core.
  EXPECT_DOUBLE_EQ(simulate(schedule, {{0, 3}, {0, 4}, {0, 2, Carrier::across_nodes}}, cores).step_s(), 7);
  EXPECT_DOUBLE_EQ(simulate(schedule, {{0, 0}, {0, 4}, {0, 3, Carrier::across_nodes, 0, 1}}).step_s(), 5);
}

TEST(Simulate, ComputationSlowsCollectivesOfOneRankANodeByAFigureOfTheirOwn) {
  Machine machine;
  machine.device_is_host = true, machine.collective_beside_compute = 5, machine.lane_beside_compute = 2;
  const auto slowed = [&](int ranks, int beside) {
    return collective_cost(machine, Reach{ranks, beside}, 2, 1e6, 1).beside_compute;
  };
  EXPECT_EQ(slowed(4, 2), 5);
  EXPECT_EQ(slowed(2, 1), 2);
  machine.lane_beside_compute = 0;
  EXPECT_EQ(slowed(2, 1), 5);
}

/// Whatever the costs: no op begins before its lane is free and its waits are done, none takes less time than
/// alone, and the step is no shorter than any lane nor longer than everything in a row.
TEST(Simulate, KeepsItsPromisesForRandomSchedules) {
  std::mt19937 random(7);
  const auto pick = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)); };
  for (int trial = 0; trial < 2000; ++trial) {
    const int world = 1 << pick(4);
    ScheduleFacts facts;
    facts.world = world;
    const int units = 2 + pick(5);
    for (int unit = 0; unit < units; ++unit) {
      GroupFacts group;
      group.elements = 64u * static_cast<unsigned>(world) * static_cast<unsigned>(1 + pick(4));
      group.parameters = 1 << pick(std::countr_zero(static_cast<unsigned>(world)) + 1);
      group.gradients = group.optimizer = pick(2) ? group.parameters : world;
      group.trainable = pick(5) > 0;
      facts.groups.push_back(group);
      facts.units.push_back({"unit", {unit}});
    }
    ScheduleOptions options;
    options.micro_batches = 1 + pick(3), options.prefetch_depth = pick(3), options.reduce_depth = pick(3);
    options.unit_major = pick(2) != 0;
    const Schedule schedule = build_schedule(facts, options);
    std::vector<OpCost> costs;
    double everything = 0;
    for (const Op& op : schedule.ops) {
      const Carrier carrier = is_communication(op) ? Carrier::inside_node : Carrier::none;
      costs.push_back({pick(3) * 0.1, pick(10) * 0.1, carrier});
      everything += costs.back().seconds();
    }
    const Timeline timeline = simulate(schedule, costs);
    std::array<double, lane_count> lane_end{};
    for (std::size_t i = 0; i < schedule.ops.size(); ++i) {
      const Op& op = schedule.ops[i];
      auto& end = lane_end[static_cast<std::size_t>(op.lane)];
      ASSERT_GE(timeline.ops[i].begin_s, end - 1e-9);
      for (const int wait : op.waits)
        ASSERT_GE(timeline.ops[i].begin_s, timeline.ops[static_cast<std::size_t>(wait)].end_s - 1e-9);
      ASSERT_GE(timeline.ops[i].seconds(), costs[i].seconds() - 1e-9);
      end = timeline.ops[i].end_s;
    }
    ASSERT_LE(timeline.step_s(), everything + 1e-9);
    double path = 0;
    for (const int op : critical_path(schedule, timeline))
      path += timeline.ops[static_cast<std::size_t>(op)].seconds();
    ASSERT_NEAR(path, timeline.step_s(), 1e-6) << "the critical path has no gap";
  }
}

}  // namespace
}  // namespace trireme::sharding
