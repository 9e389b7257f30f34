#include "optim/adamw.h"

#include <cmath>

#include "optim/write_copy.h"

namespace trireme::optim {

DecayOf decay_all(double weight_decay) {
  return [weight_decay](const sharding::Parameter&) { return weight_decay; };
}

DecayOf decay_matrices(double weight_decay) {
  return [weight_decay](const sharding::Parameter& parameter) {
    return parameter.shape.size() > 1 ? weight_decay : 0.0;
  };
}

void AdamW::update(const sharding::UpdateRun& run, const sharding::UpdateScalars& scalars) const {
  const double correction1 = 1.0 - std::pow(settings_.beta1, static_cast<double>(scalars.step));
  const double correction2 = 1.0 - std::pow(settings_.beta2, static_cast<double>(scalars.step));
  const auto keep = static_cast<float>(1.0 - scalars.learning_rate * settings_.weight_decay(*run.parameter));
  const auto step_size = static_cast<float>(scalars.learning_rate / correction1);
  const auto root_scale = static_cast<float>(1.0 / std::sqrt(correction2));
  const auto beta1 = static_cast<float>(settings_.beta1), beta2 = static_cast<float>(settings_.beta2);
  const auto rest1 = static_cast<float>(1.0 - settings_.beta1),
             rest2 = static_cast<float>(1.0 - settings_.beta2);
  const auto epsilon = static_cast<float>(settings_.epsilon),
             scale = static_cast<float>(scalars.gradient_scale);

  float* __restrict master = run.master;
  const float* __restrict gradients = run.gradient;
  float* __restrict mean = reinterpret_cast<float*>(run.states[0]);
  float* __restrict square = reinterpret_cast<float*>(run.states[1]);
  with_copy(run, [&](const auto& write) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < run.count; ++i) {
      const float gradient = gradients[i] * scale;
      mean[i] = beta1 * mean[i] + rest1 * gradient;
      square[i] = beta2 * square[i] + rest2 * gradient * gradient;
      const float denominator = std::sqrt(square[i]) * root_scale + epsilon;
      const float value = master[i] * keep - step_size * (mean[i] / denominator);
      master[i] = value;
      write(i, value);
    }
  });
}

}  // namespace trireme::optim
