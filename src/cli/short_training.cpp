#include "cli/short_training.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "cli/engine_options.h"
#include "cli/job_optimizer.h"
#include "cli/loaded_model.h"
#include "cli/lora.h"
#include "model/build.h"
#include "model/fresh_weights.h"
#include "model/layout.h"
#include "model/lora.h"
#include "model/work.h"
#include "optim/sgd.h"
#include "sharding/predict/recorder.h"
#include "sharding/presets.h"

namespace trireme::cli {
namespace {

/// A model of up to so many parameters is trained whole; of larger ones a few blocks are.
constexpr std::int64_t most_parameters_whole = 200'000'000, most_blocks = 4, most_parameters = 400'000'000,
                       least_vocabulary = 4096;
constexpr double timed_s = 4;
constexpr int most_warm_up = 3, least_steps = 3, most_steps = 60;

/// A model of the same blocks that is soon made and trained.
model::ModelSpec shortened(model::ModelSpec spec) {
  if (model::parameter_count(spec) <= most_parameters_whole) return spec;
  spec.layers = std::min(spec.layers, most_blocks);
  while (spec.layers > 1 && model::parameter_count(spec) > most_parameters) --spec.layers;
  while (spec.vocabulary > least_vocabulary && model::parameter_count(spec) > most_parameters)
    spec.vocabulary /= 2, spec.vocabulary_chunk = 0;
  spec.windows.resize(static_cast<std::size_t>(spec.layers));
  return spec;
}

sharding::Context random_rows(const jobs::JobSpec& job, const model::ModelSpec& spec) {
  const std::array<std::int64_t, 2> shape{job.micro_batch_size, job.sequence_len};
  sharding::Context context;
  context.tokens = at::randint(spec.vocabulary, shape, at::kLong);
  context.labels = at::randint(spec.vocabulary, shape, at::kLong);
  context.positions = at::arange(job.sequence_len, at::kLong).expand(shape).contiguous();
  context.loss_weight = 1.0 / static_cast<double>(job.micro_batch_size * job.sequence_len);
  return context;
}

sharding::EngineOptions plain_options(const jobs::JobSpec& job, const Worlds& worlds) {
  sharding::EngineOptions options = engine_options(job, worlds);
  options.update_when_reduced = options.unit_major = false;
  options.keeps_gradients = true;
  return options;
}

/// Seconds of blocks forward, blocks backward, and of what makes the loss.
std::array<double, 3> sums_of(const sharding::Schedule& schedule, const sharding::Timeline& timeline,
                              const sharding::ModelWork& work) {
  std::array<double, 3> sums{};
  for (std::size_t i = 0; i < schedule.ops.size(); ++i) {
    const sharding::Op& op = schedule.ops[i];
    const bool forward = op.kind == sharding::OpKind::forward;
    if (!forward && op.kind != sharding::OpKind::backward) continue;
    const sharding::UnitWork& unit = work.units[static_cast<std::size_t>(op.target)];
    const double seconds = timeline.ops[i].seconds();
    if (unit.scores) sums[2] += seconds;
    if (is_block(unit)) sums[forward ? 0 : 1] += seconds;
  }
  return sums;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// An engine over a short model on every rank at once, in which nothing is sent between them.
class Training {
 public:
  Training(const jobs::JobSpec& job, const model::ModelSpec& full, const Worlds& worlds,
           sharding::Codec compute, std::unique_ptr<const sharding::Optimizer> optimizer,
           const sharding::EngineOptions& options)
      : spec_(shortened(full)),
        lora_(lora_of(job)),
        engine_(model::build_model(spec_, scalar_type(compute), lora_), sharding::preset("ddp", compute),
                std::move(optimizer), worlds.computing, options) {
    engine_.load([&](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
      const auto seed = static_cast<std::uint64_t>(job.seed);
      const bool adapter = model::is_lora_a(parameter.name) || model::is_lora_b(parameter.name);
      adapter ? model::initial_lora(parameter, seed, begin, into)
              : model::fresh_weights(spec_, parameter, seed, begin, into);
    });
    work_ = model::work_of(spec_, work_shape(job, spec_, compute), lora_);
    engine_.executor().rehearse({.compute = {}, .without_collectives = true});
    input_.micro_batches = {random_rows(job, spec_)};
    if (job.max_grad_norm > 0) input_.max_norm = job.max_grad_norm;
  }

  /// Tells the seconds of each step that counts, on this rank.
  void run(const std::function<void()>& before_step, const std::function<void(double)>& after_step) {
    int warm_up = 0;
    double took = 0;
    do {
      took = slowest(seconds_of_step(before_step));
    } while (++warm_up < most_warm_up && took < timed_s / least_steps);
    const int steps = std::clamp(static_cast<int>(std::lround(timed_s / took)), least_steps, most_steps);
    for (int step = 0; step < steps; ++step) after_step(seconds_of_step(before_step));
  }
  const sharding::Schedule& schedule() {
    return engine_.schedule(sharding::ScheduleOptions::Purpose::train, 1);
  }
  sharding::Engine& engine() { return engine_; }
  const sharding::ModelWork& work() const { return work_; }

 private:
  double seconds_of_step(const std::function<void()>& before_step) {
    using Clock = std::chrono::steady_clock;
    engine_.control().barrier();
    const auto begin = Clock::now();
    if (before_step) before_step();
    engine_.train(input_);
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }
  double slowest(double seconds) {
    engine_.control().all_reduce(&seconds, &seconds, 1, DType::f64, comm::Reduction::max);
    return seconds;
  }

  model::ModelSpec spec_;
  std::optional<model::LoraSettings> lora_;
  sharding::Engine engine_;
  sharding::ModelWork work_;
  sharding::StepInput input_;
};

}  // namespace

bool is_block(const sharding::UnitWork& unit) {
  return unit.attention_flops > 0;
}

ShortTraining train_shortly(const jobs::JobSpec& job, const model::ModelSpec& full, const Worlds& worlds,
                            sharding::Codec compute) {
  Training training(job, full, worlds, compute, std::make_unique<optim::Sgd>(optim::SgdSettings{}),
                    plain_options(job, worlds));
  const sharding::Schedule& schedule = training.schedule();
  sharding::StepRecorder recorder(training.engine().executor());
  std::array<std::vector<double>, 3> all;
  training.run([&] { recorder.begin(schedule); },
               [&](double) {
                 const auto sums = sums_of(schedule, recorder.timeline(), training.work());
                 for (std::size_t part = 0; part < all.size(); ++part) all[part].push_back(sums[part]);
               });
  std::array<double, 3> medians{median(all[0]), median(all[1]), median(all[2])};
  training.engine().control().all_reduce(medians.data(), medians.data(), medians.size(), DType::f64,
                                         comm::Reduction::max);
  return {medians[0], medians[1], medians[2], training.work()};
}

WholeStep step_shortly(const jobs::JobSpec& job, const model::ModelSpec& full, const Worlds& worlds,
                       sharding::Codec compute) {
  Training training(job, full, worlds, compute, optimizer_of(job), engine_options(job, worlds));
  WholeStep step{0, training.schedule(), training.work()};
  std::vector<double> steps;
  training.run({}, [&](double seconds) { steps.push_back(seconds); });
  step.seconds = median(steps);
  training.engine().control().all_reduce(&step.seconds, &step.seconds, 1, DType::f64, comm::Reduction::max);
  return step;
}

}  // namespace trireme::cli
