#pragma once
#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "comm/threads/thread_world.h"
#include "optim/adamw.h"
#include "tests/sharding/toy_model.h"

namespace trireme::sharding::tests {

struct ToyJob {
  ToyShape shape;
  ToySettings settings;
  Placement placement;
  EngineOptions options;
  int ranks = 1;
  int micro_batches = 1;
  std::vector<int> node_of_rank;
  BeforeOp before_each;
};

inline std::unique_ptr<const Optimizer> toy_optimizer(const ToySettings& settings) {
  optim::AdamWSettings made;
  made.beta1 = settings.beta1, made.beta2 = settings.beta2, made.epsilon = settings.epsilon;
  made.weight_decay = optim::decay_all(settings.weight_decay);
  return std::make_unique<optim::AdamW>(made);
}

inline StepInput toy_step(const ToyJob& job, int rank, int step) {
  StepInput input;
  input.micro_batches =
      contexts_of(toy_batch(job.shape, job.settings.rows, step), rank, job.ranks, job.micro_batches);
  input.learning_rate = job.settings.learning_rate;
  input.max_norm = job.settings.max_norm;
  input.step = step;
  return input;
}

/// What all ranks together hold of each parameter, whole.
inline void collect(Engine& engine, std::map<std::string, std::vector<float>>& into) {
  engine.for_each_slice([&](const StateSlice& slice) {
    if (slice.state != "parameter" || slice.dtype != DType::f32) return;
    auto& values = into[slice.parameter->name];
    values.resize(static_cast<std::size_t>(element_count(*slice.parameter)));
    slice.read(0, std::as_writable_bytes(
                      std::span(values.data() + slice.begin, static_cast<std::size_t>(slice.count))));
  });
}

/// Trains on ranks that are threads; losses and norms as rank 0 saw them.
inline ToyRun train_on_ranks(const ToyJob& job,
                             const std::function<void(Engine&, int rank)>& afterwards = {}) {
  ToyRun run;
  std::map<std::string, std::vector<float>> parameters;
  std::mutex mutex;
  comm::run_ranks(
      job.ranks,
      [&](comm::World& world) {
        Engine engine(toy_model(job.shape), job.placement, toy_optimizer(job.settings), world, job.options);
        engine.executor().before_each(job.before_each);
        engine.load(read_starting_values());
        for (int step = 1; step <= job.settings.steps; ++step) {
          const StepResult result = engine.train(toy_step(job, world.rank(), step));
          if (world.rank() != 0) continue;
          run.losses.push_back(result.loss);
          run.norms.push_back(result.gradient_norm);
        }
        const std::lock_guard lock(mutex);
        collect(engine, parameters);
        if (afterwards) afterwards(engine, world.rank());
      },
      job.node_of_rank);
  for (const auto& [name, values] : parameters)
    run.parameters.emplace_back(name, at::tensor(at::ArrayRef<float>(values.data(), values.size())));
  return run;
}

inline void expect_same_bits(const ToyRun& a, const ToyRun& b, const std::string& what) {
  EXPECT_EQ(a.losses, b.losses) << what;
  EXPECT_EQ(a.norms, b.norms) << what;
  ASSERT_EQ(a.parameters.size(), b.parameters.size()) << what;
  for (std::size_t i = 0; i < a.parameters.size(); ++i)
    EXPECT_TRUE(at::equal(a.parameters[i].second, b.parameters[i].second)) << what << a.parameters[i].first;
}

}  // namespace trireme::sharding::tests
