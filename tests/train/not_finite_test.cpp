#include <cmath>
#include <limits>
#include <mutex>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "sharding/presets.h"
#include "tests/sharding/toy_training.h"
#include "train/trainer.h"

namespace trireme::train {
namespace {

using ::testing::HasSubstr;
using namespace sharding::tests;

/// Computes what another unit does, and spoils it in one step: its output, or only the gradient that comes
/// back through it.
class Spoiled final : public sharding::Unit {
 public:
  enum class How : std::uint8_t { output, gradient, leap };
  Spoiled(std::unique_ptr<sharding::Unit> unit, std::uint64_t step, How how)
      : unit_(std::move(unit)), step_(step), how_(how) {}
  const std::string& name() const override { return unit_->name(); }
  const std::vector<int>& groups() const override { return unit_->groups(); }
  sharding::Activation forward(const sharding::Activation& input, const sharding::Context& context,
                               const sharding::Weights& weights) const override {
    sharding::Activation made = unit_->forward(input, context, weights);
    if (context.step != step_) return made;
    if (how_ == How::leap) {
      made.hidden = made.hidden * 300.0;
    } else if (how_ == How::output) {
      made.hidden = made.hidden + std::numeric_limits<double>::quiet_NaN();
    } else {
      // The root has an infinite slope at zero, and a finite value.
      made.hidden = made.hidden + at::sqrt(made.hidden * 0.0);
    }
    return made;
  }

 private:
  std::unique_ptr<sharding::Unit> unit_;
  std::uint64_t step_;
  How how_;
};

/// Rows of the toy model's, with the step's number in the context.
class ToyBatches final : public BatchSource {
 public:
  explicit ToyBatches(const ToyJob& job) : job_(job) {}
  std::int64_t steps_per_epoch(const BatchShape&) const override { return job_.settings.steps; }
  std::vector<sharding::Context> batch(std::int64_t step, const BatchShape& shape) const override {
    auto contexts = contexts_of(toy_batch(job_.shape, job_.settings.rows, static_cast<int>(step)), shape.rank,
                                shape.ranks, shape.micro_batches);
    for (auto& context : contexts) context.step = static_cast<std::uint64_t>(step);
    return contexts;
  }

 private:
  const ToyJob& job_;
};

struct Result {
  std::vector<StepMetrics> steps;
  std::string failure;
  TrainerState state;
};

/// Trains with unit 2 of the last rank spoiled in step 3 (or in each of all steps, where `spoiled_step` says
/// so).
Result train(const char* placement, int ranks, const optim::GuardSettings& guard, Spoiled::How how,
             int micro_batches = 1, const optim::SpikeSettings& spikes = {}) {
  ToyJob job;
  job.placement = sharding::preset(placement, sharding::Codec::fp32);
  job.ranks = ranks, job.settings.steps = 6, job.micro_batches = micro_batches;
  std::vector<Result> results(static_cast<std::size_t>(ranks));
  comm::run_ranks(ranks, [&](comm::World& world) {
    sharding::Model model = toy_model(job.shape);
    if (world.rank() == ranks - 1)
      model.units[2] = std::make_unique<Spoiled>(std::move(model.units[2]), 3, how);
    sharding::Engine engine(std::move(model), job.placement, toy_optimizer(job.settings), world, job.options);
    engine.load(read_starting_values());
    const ToyBatches batches(job);
    BatchShape shape{world.rank(), ranks, job.settings.rows / ranks / micro_batches, micro_batches,
                     job.settings.rows};
    TrainerSettings settings;
    settings.total_steps = job.settings.steps;
    settings.rate.peak = job.settings.learning_rate;
    settings.max_norm = 1.0;
    settings.guard = guard;
    settings.spikes = spikes;
    Trainer trainer(engine, batches, shape, settings);
    Result& mine = results[static_cast<std::size_t>(world.rank())];
    try {
      trainer.run([&](const StepMetrics& metrics) {
        mine.steps.push_back(metrics);
        return true;
      });
    } catch (const Error& error) {
      mine.failure = error.what();
    }
    mine.state = trainer.state();
  });
  // All ranks see and decide the same.
  for (const Result& other : results) {
    EXPECT_EQ(other.failure, results[0].failure);
    EXPECT_EQ(other.steps.size(), results[0].steps.size());
    EXPECT_EQ(other.state.updates, results[0].state.updates);
    EXPECT_EQ(other.state.guard.rate_factor, results[0].state.guard.rate_factor);
    EXPECT_EQ(other.state.spikes.mean, results[0].state.spikes.mean);
    for (std::size_t i = 0; i < std::min(other.steps.size(), results[0].steps.size()); ++i) {
      EXPECT_EQ(other.steps[i].trouble, results[0].steps[i].trouble);
      EXPECT_EQ(other.steps[i].learning_rate, results[0].steps[i].learning_rate);
    }
  }
  return results[0];
}

TEST(NotFinite, StopNamesTheRankTheUnitAndWhatWasMade) {
  for (const char* placement : {"ddp", "zero3"})
    for (const int ranks : {1, 2, 3}) {
      const Result result = train(placement, ranks, {}, Spoiled::How::output);
      EXPECT_EQ(result.steps.size(), 2u);
      EXPECT_THAT(result.failure, HasSubstr("step 3: loss nan"));
      EXPECT_THAT(result.failure,
                  HasSubstr("it began on rank " + std::to_string(ranks - 1) + " with its output of "));
      EXPECT_THAT(result.failure, HasSubstr(toy_model({}).units[2]->name() + " in micro-batch 1"));
    }
}

TEST(NotFinite, AGradientAloneIsFoundToo) {
  const Result result = train("zero3", 2, {}, Spoiled::How::gradient, 2);
  EXPECT_THAT(result.failure, HasSubstr("gradient norm"));
  EXPECT_THAT(result.failure, HasSubstr("it began on rank 1 with the gradient of "));
  EXPECT_THAT(result.failure, HasSubstr(" of " + toy_model({}).units[2]->name() + " in micro-batch"));
}

TEST(NotFinite, SkipGoesOnWithoutThatStep) {
  const Result result = train("zero3", 2, {.policy = optim::OnFailure::skip}, Spoiled::How::output);
  ASSERT_EQ(result.steps.size(), 6u);
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(result.state.step, 6);
  EXPECT_EQ(result.state.updates, 5);
  EXPECT_EQ(result.state.guard.failed, 1);
  for (const StepMetrics& step : result.steps) {
    EXPECT_EQ(step.skipped, step.step == 3);
    EXPECT_EQ(step.trouble.empty(), step.step != 3);
    EXPECT_EQ(std::isfinite(step.loss), step.step != 3);
  }
  EXPECT_DOUBLE_EQ(result.steps[3].learning_rate, result.steps[1].learning_rate);
}

TEST(NotFinite, BackOffHalvesTheRateUntilStepsWereSoundForLong) {
  const Result result =
      train("ddp", 2, {.policy = optim::OnFailure::back_off, .window = 2}, Spoiled::How::output);
  ASSERT_EQ(result.steps.size(), 6u);
  const double rate = result.steps[0].learning_rate;
  EXPECT_DOUBLE_EQ(result.steps[3].learning_rate, rate / 2);
  EXPECT_DOUBLE_EQ(result.steps[4].learning_rate, rate / 2);
  EXPECT_DOUBLE_EQ(result.steps[5].learning_rate, rate);
}

TEST(NotFinite, TheParametersAreThoseOfTheStepBefore) {
  // What one rank made is on no rank afterwards: the curve goes on as from the step before.
  const Result spoiled = train("zero3", 2, {.policy = optim::OnFailure::skip}, Spoiled::How::gradient);
  ASSERT_EQ(spoiled.steps.size(), 6u);
  for (const StepMetrics& step : spoiled.steps) {
    EXPECT_TRUE(step.step == 3 || std::isfinite(step.loss)) << step.step;
  }
  EXPECT_LT(spoiled.steps.back().loss, spoiled.steps.front().loss);
}

optim::SpikeSettings spikes_with(optim::OnFailure policy) {
  return {.factor = 2.0, .warm_up = 2, .guard = {.policy = policy}};
}

TEST(Spike, IsTrainedOnWhereItIsIgnored) {
  const Result result = train("zero3", 2, {}, Spoiled::How::leap);
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(result.state.updates, 6);
  EXPECT_GT(result.steps[2].loss, 2 * result.steps[1].loss);
}

TEST(Spike, IsSkippedAndLeavesTheParametersAsTheyWere) {
  const Result calm = train("zero3", 2, {.policy = optim::OnFailure::skip}, Spoiled::How::output);
  const Result result = train("zero3", 2, {}, Spoiled::How::leap, 1, spikes_with(optim::OnFailure::skip));
  ASSERT_EQ(result.steps.size(), 6u);
  EXPECT_EQ(result.state.updates, 5);
  EXPECT_EQ(result.state.spikes.guard.failed, 1);
  EXPECT_EQ(result.state.guard.failed, 0);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(result.steps[i].trouble.empty(), i != 2);
    if (i != 2) EXPECT_EQ(result.steps[i].loss, calm.steps[i].loss) << "as when the step is lost otherwise";
  }
  EXPECT_THAT(result.steps[2].trouble, HasSubstr("times the mean of the steps before"));
}

TEST(Spike, StopsTheRunOrHalvesTheRate) {
  const Result stopped = train("ddp", 2, {}, Spoiled::How::leap, 1, spikes_with(optim::OnFailure::stop));
  EXPECT_EQ(stopped.steps.size(), 2u);
  EXPECT_THAT(stopped.failure, HasSubstr("step 3: loss "));
  EXPECT_THAT(stopped.failure, HasSubstr("on_loss_spike"));
  const Result slower = train("ddp", 2, {}, Spoiled::How::leap, 1, spikes_with(optim::OnFailure::back_off));
  ASSERT_EQ(slower.steps.size(), 6u);
  EXPECT_DOUBLE_EQ(slower.steps[3].learning_rate, slower.steps[1].learning_rate / 2);
}

}  // namespace
}  // namespace trireme::train
