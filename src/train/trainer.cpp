#include "train/trainer.h"

#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "core/error.h"
#include "train/rank_texts.h"

namespace trireme::train {
namespace {

/// Without the sign that means nothing in what is no number.
std::string shown(double value) {
  return std::isnan(value) ? "nan" : fmt::format("{}", value);
}

}  // namespace

Trainer::Trainer(sharding::Engine& engine, const BatchSource& batches, const BatchShape& shape,
                 const TrainerSettings& settings)
    : engine_(engine),
      batches_(batches),
      shape_(shape),
      settings_(settings),
      guard_(settings.guard),
      spikes_(settings.spikes) {
  const std::int64_t room = shape.micro_batch_size * shape.micro_batches * shape.ranks;
  if (shape.rows_per_step < 1 || shape.rows_per_step > room)
    fail(ExitCode::configuration, "a step of {} rows does not fit {} ranks with {} micro-batches of {}",
         shape.rows_per_step, shape.ranks, shape.micro_batches, shape.micro_batch_size);
  if (settings.loss_scale) scaler_.emplace(*settings.loss_scale);
}

std::int64_t Trainer::weigh(std::vector<sharding::Context>& contexts, double loss_scale) {
  std::int64_t tokens = scored(contexts);
  engine_.control().all_reduce(&tokens, &tokens, 1, DType::i64, comm::Reduction::sum);
  if (tokens == 0)
    fail(ExitCode::configuration, "step {} has no token to learn from: check the data's labels", step_ + 1);
  for (auto& context : contexts) context.loss_weight = loss_scale / static_cast<double>(tokens);
  return tokens;
}

StepMetrics Trainer::step() {
  using clock = std::chrono::steady_clock;
  const auto begin = clock::now();
  sharding::StepInput input;
  input.micro_batches = batches_.batch(step_ + 1, shape_);
  input.loss_scale = scaler_ ? scaler_->scale() : 1.0;
  StepMetrics metrics;
  metrics.tokens = weigh(input.micro_batches, input.loss_scale);
  metrics.step = step_ + 1;
  metrics.learning_rate = input.learning_rate =
      guard_.rate_factor() * spikes_.rate_factor() * optim::rate_at(settings_.rate, step_ + 1);
  input.max_norm = settings_.max_norm;
  input.most_loss = spikes_.most();
  input.step = updates_ + 1;

  const sharding::StepResult result = engine_.train(input);
  metrics.loss = result.loss;
  metrics.grad_norm = result.gradient_norm;
  metrics.skipped = result.overflow;
  metrics.tokens_per_s =
      static_cast<double>(metrics.tokens) / std::chrono::duration<double>(clock::now() - begin).count();
  metrics.loss_scale = input.loss_scale;
  const bool spiked = result.overflow && std::isfinite(result.loss) && std::isfinite(result.gradient_norm);
  if (spiked) metrics.trouble = spiked_step(metrics);
  if (!result.overflow) spikes_.after_sound_step(result.loss);
  if (!scaler_ && !spiked) {
    if (result.overflow) {
      metrics.trouble = failed_step(input, metrics);
    } else {
      guard_.after_step(false);
    }
  }
  if (scaler_ && !spiked && !scaler_->after_step(result.overflow))
    fail(ExitCode::damaged,
         "step {}: gradients overflow at the least loss scale {}; train in bf16 or lower the learning rate",
         metrics.step, input.loss_scale);
  ++step_;
  if (!result.overflow) ++updates_;
  return metrics;
}

std::string Trainer::failed_step(const sharding::StepInput& input, const StepMetrics& metrics) {
  const std::vector<std::string> found = gathered_texts(engine_.control(), engine_.find_not_finite(input));
  std::string where;
  std::size_t ranks = 0;
  for (std::size_t rank = 0; rank < found.size(); ++rank)
    if (!found[rank].empty() && ranks++ == 0)
      where = fmt::format("it began on rank {} with {}", engine_.control().group().ranks[rank], found[rank]);
  if (ranks > 1) where += fmt::format(", and on {} more ranks", ranks - 1);
  if (ranks == 0)
    where = "all was finite when the step was computed again: suspect the memory or the network";
  const bool goes_on = guard_.after_step(true);
  const auto& state = guard_.state();
  const std::string said = fmt::format("step {}: loss {} and gradient norm {} are not finite; {}",
                                       metrics.step, shown(metrics.loss), shown(metrics.grad_norm), where);
  if (goes_on) return said;
  if (settings_.guard.policy == optim::OnFailure::stop)
    fail(ExitCode::damaged,
         "{}; lower the learning rate, look at the data of this step, or set on_non_finite", said);
  fail(ExitCode::damaged, "{}; {} such steps in a row end the run", said, state.failed_in_a_row);
}

std::string Trainer::spiked_step(const StepMetrics& metrics) {
  const double mean = spikes_.state().mean;
  const std::string said =
      fmt::format("step {}: loss {:.4g} is {:.3g} times the mean of the steps before, {:.4g}", metrics.step,
                  metrics.loss, metrics.loss / mean, mean);
  if (spikes_.after_spike()) return said;
  if (settings_.spikes.guard.policy == optim::OnFailure::stop)
    fail(ExitCode::damaged,
         "{}; look at the data of this step, lower the learning rate, or set on_loss_spike", said);
  fail(ExitCode::damaged, "{}; {} such steps in a row end the run", said,
       spikes_.state().guard.failed_in_a_row);
}

void Trainer::run(const std::function<bool(const StepMetrics&)>& after_step) {
  while (step_ < settings_.total_steps)
    if (!after_step(step())) return;
}

EvaluationMeans Trainer::evaluate(const BatchSource& batches, std::int64_t steps) {
  double weighted = 0;
  std::int64_t tokens = 0, hits = 0;
  for (std::int64_t step = 1; step <= steps; ++step) {
    auto contexts = batches.batch(step, shape_);
    const std::int64_t count = weigh(contexts, 1.0);
    for (auto& context : contexts) context.training = false;
    weighted += engine_.evaluate(contexts) * static_cast<double>(count);
    tokens += count;
    for (int micro = 0; micro < static_cast<int>(contexts.size()); ++micro)
      for (const at::Tensor& counted : engine_.output(micro).more) hits += counted.item<std::int64_t>();
  }
  engine_.control().all_reduce(&hits, &hits, 1, DType::i64, comm::Reduction::sum);
  return {weighted / static_cast<double>(tokens), static_cast<double>(hits) / static_cast<double>(tokens)};
}

TrainerState Trainer::state() const {
  TrainerState state{step_, updates_, shape_.rows_per_step, {}};
  if (scaler_) state.loss_scale = scaler_->state();
  state.guard = guard_.state();
  state.spikes = spikes_.state();
  return state;
}

void Trainer::restore(const TrainerState& state) {
  if (state.step > 0 && state.rows_per_step != shape_.rows_per_step)
    fail(
        ExitCode::configuration,
        "the checkpoint is of steps of {} rows but this job has {}, so samples would be repeated or skipped; "
        "choose micro_batch_size and gradient_accumulation_steps for {} rows on {} ranks",
        state.rows_per_step, shape_.rows_per_step, state.rows_per_step, shape_.ranks);
  step_ = state.step, updates_ = state.updates;
  if (scaler_) scaler_->restore(state.loss_scale);
  guard_.restore(state.guard);
  spikes_.restore(state.spikes);
}

}  // namespace trireme::train
