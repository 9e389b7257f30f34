#include "cli/model_pace.h"

#include <algorithm>
#include <chrono>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "cli/known_gpu.h"
#include "cli/lora.h"
#include "model/linear.h"
#include "model/work.h"
#include "sharding/predict/machine.h"

namespace trireme::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The best of a few products of square matrices, large enough to reach the rate of larger ones, made as
/// linear layers make theirs.
double matrix_rate(at::ScalarType type) {
  const at::AutoGradMode no_grad(false);
  constexpr std::int64_t size = 512;
  constexpr double long_enough = 0.04;
  const at::Tensor a = at::ones({size, size}, type), b = at::ones({size, size}, type);
  model::multiply(a, b, {}, false);
  double best = 0;
  for (const auto begin = Clock::now(); seconds_since(begin) < long_enough;) {
    const auto before = Clock::now();
    model::multiply(a, b, {}, false);
    best = std::max(best, 2.0 * size * size * size / seconds_since(before));
  }
  return best;
}

/// The peak of dense products by the data sheet; 0: it is not at hand.
double published_rate(const jobs::JobSpec& job, const Device& device, sharding::Codec compute) {
  const std::string name = known_gpu(device.info());
  if (name.empty()) return 0;
  const sharding::Machine machine = sharding::known_machine(name);
  constexpr double tf32_of_bf16 = 0.5;
  if (compute != sharding::Codec::fp32) return machine.matrix_flops;
  return job.tf32 ? tf32_of_bf16 * machine.matrix_flops : machine.matrix_flops_fp32;
}

}  // namespace

double ModelPace::mfu(const train::StepMetrics& metrics) const {
  if (metrics.tokens == 0 || flops_per_second <= 0) return 0;
  const double seconds = static_cast<double>(metrics.tokens) / metrics.tokens_per_s;
  return flops_per_step / seconds / flops_per_second;
}

ModelPace measure_pace(const jobs::JobSpec& job, LoadedModel& model, const train::BatchShape& shape) {
  const bool half = model.compute() != sharding::Codec::fp32;
  const double per_token =
      model::work_of(model.spec(),
                     {shape.micro_batch_size, job.sequence_len, half ? DType::bf16 : DType::f32},
                     lora_of(job))
          .model_flops_per_token;
  constexpr double without_weight_gradients = 2.0 / 3.0;
  ModelPace pace;
  pace.flops_per_step = per_token * static_cast<double>(shape.rows_per_step * job.sequence_len) *
                        (lora_of(job) ? without_weight_gradients : 1.0);
  const Device* device = compute_device();
  double rate =
      device ? published_rate(job, *device, model.compute()) : matrix_rate(scalar_type(model.compute()));
  model.engine().control().all_reduce(&rate, &rate, 1, DType::f64, comm::Reduction::sum);
  pace.flops_per_second = rate;
  return pace;
}

}  // namespace trireme::cli
