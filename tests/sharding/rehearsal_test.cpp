#include <atomic>
#include <boost/json.hpp>
#include <set>

#include <gtest/gtest.h>

#include "sharding/predict/picture.h"
#include "sharding/predict/recorder.h"
#include "sharding/predict/traffic.h"
#include "sharding/presets.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

ToyJob zero3_on_four() {
  ToyJob job;
  job.placement = preset("zero3", Codec::fp32);
  job.node_of_rank = {0, 0, 1, 1};
  job.ranks = 4;
  job.micro_batches = 3;
  job.settings.steps = 1;
  return job;
}

/// `body` runs on all ranks at once, each with an engine that has made one step.
void with_engines(const ToyJob& job, const std::function<void(Engine&, int rank)>& body) {
  comm::run_ranks(
      job.ranks,
      [&](comm::World& world) {
        Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
        engine.load(read_starting_values());
        engine.train(toy_step(job, world.rank(), 1));
        body(engine, world.rank());
      },
      job.node_of_rank);
}

TEST(Rehearsal, WithoutComputationMovesTheSameBytesAndChangesNoParameter) {
  const ToyJob job = zero3_on_four();
  std::atomic<int> computed{0};
  with_engines(job, [&](Engine& engine, int rank) {
    std::vector<float> before, after;
    const auto keep = [](std::vector<float>& into) {
      return [&into](const StateSlice& slice) {
        if (slice.dtype == DType::f32)
          into.insert(into.end(), reinterpret_cast<const float*>(slice.data),
                      reinterpret_cast<const float*>(slice.data) + slice.count);
      };
    };
    engine.for_each_slice(keep(before));
    const comm::Traffic sent = engine.traffic();
    Rehearsal rehearsal;
    rehearsal.compute = [&](const Schedule&, int) { ++computed; };
    engine.executor().rehearse(rehearsal);
    engine.train(toy_step(job, rank, 2));
    engine.for_each_slice(keep(after));
    EXPECT_EQ(before, after);
    const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
    const comm::Traffic one = TrafficCounter(step, rank, job.node_of_rank).total();
    EXPECT_EQ(engine.traffic().inside_node - sent.inside_node, one.inside_node);
    EXPECT_EQ(engine.traffic().across_nodes - sent.across_nodes, one.across_nodes);

    engine.executor().rehearse({});
    const StepResult again = engine.train(toy_step(job, rank, 2));
    EXPECT_TRUE(std::isfinite(again.loss));
  });
  const int groups = 10, units = 6;  // two groups in each of four blocks, embedding and head
  EXPECT_EQ(computed, 4 * (2 * units * 3 + groups));
}

TEST(Rehearsal, WithoutCollectivesSendsNothing) {
  const ToyJob job = zero3_on_four();
  with_engines(job, [&](Engine& engine, int rank) {
    const comm::Traffic sent = engine.traffic();
    engine.executor().rehearse({.compute = {}, .without_collectives = true});
    engine.train(toy_step(job, rank, 2));
    EXPECT_EQ(engine.traffic().inside_node, sent.inside_node);
    EXPECT_EQ(engine.traffic().across_nodes, sent.across_nodes);
  });
}

TEST(Rehearsal, TakesInputsOfTheSizesThatItIsToldToTheHostAndBack) {
  ToyJob job = zero3_on_four();
  job.shape.blocks = 6;
  job.placement.activations = Activations::recomputed;
  job.placement.activation_tier = Tier::host;
  with_engines(job, [&](Engine& engine, int rank) {
    const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
    ASSERT_GT(step.host_inputs, 0);
    constexpr std::uint64_t bytes = std::uint64_t{1} << 20;
    engine.executor().rehearse({.compute = [](const Schedule&, int) {},
                                .input_bytes = std::vector<std::uint64_t>(step.facts.units.size(), bytes),
                                .without_collectives = false});
    for (int time = 0; time < 2; ++time) {
      engine.train(toy_step(job, rank, 2));
      EXPECT_EQ(engine.memory().tiers.inputs, static_cast<std::size_t>(step.host_inputs) * bytes);
    }
    engine.executor().rehearse({});
    EXPECT_TRUE(std::isfinite(engine.train(toy_step(job, rank, 2)).loss));
  });
}

TEST(StepRecorder, TakesTimesThatKeepTheSchedulesPromises) {
  const ToyJob job = zero3_on_four();
  with_engines(job, [&](Engine& engine, int rank) {
    const Schedule& step = engine.schedule(ScheduleOptions::Purpose::train, job.micro_batches);
    Timeline timeline;
    {
      StepRecorder recorder(engine.executor());
      recorder.begin(step);
      engine.train(toy_step(job, rank, 2));
      timeline = recorder.timeline();
    }
    ASSERT_EQ(timeline.ops.size(), step.ops.size());
    std::array<double, lane_count> lane_end{};
    for (std::size_t i = 0; i < step.ops.size(); ++i) {
      auto& end = lane_end[static_cast<std::size_t>(step.ops[i].lane)];
      EXPECT_GE(timeline.ops[i].begin_s, end);
      EXPECT_GE(timeline.ops[i].end_s, timeline.ops[i].begin_s);
      for (const int wait : step.ops[i].waits)
        EXPECT_GE(timeline.ops[i].begin_s, timeline.ops[static_cast<std::size_t>(wait)].end_s);
      end = timeline.ops[i].end_s;
    }
    if (rank != 0) return;

    const std::vector<Track> tracks{{"measured \"here\"", 0, &step, &timeline},
                                    {"foretold", 0, &step, &timeline}};
    const auto trace = boost::json::parse(chrome_trace(tracks)).as_object();
    std::set<std::int64_t> processes;
    std::size_t events = 0, shown = 0;
    for (const Op& op : step.ops) shown += op.kind != OpKind::drop && op.kind != OpKind::snapshot;
    for (const auto& event : trace.at("traceEvents").as_array()) {
      processes.insert(event.at("pid").as_int64());
      if (event.at("ph").as_string() != "X") continue;
      ++events;
      EXPECT_GE(event.at("dur").to_number<double>(), 0);
    }
    EXPECT_EQ(processes.size(), 2u);
    EXPECT_EQ(events, 2 * shown);
    EXPECT_NE(gantt_svg(tracks).find("</svg>"), std::string::npos);
  });
}

}  // namespace
}  // namespace trireme::sharding::tests
