#include <cmath>

#include "offload/optimizer/adamw.h"
#include "offload/optimizer/scalar.h"

namespace trireme::offload {

AdamWFactors::AdamWFactors(const AdamWStep& step) {
  const auto t = static_cast<double>(step.step);
  const double correction1 = 1.0 - std::pow(step.beta1, t), correction2 = 1.0 - std::pow(step.beta2, t);
  beta1 = static_cast<float>(step.beta1), beta2 = static_cast<float>(step.beta2);
  rest1 = static_cast<float>(1.0 - step.beta1), rest2 = static_cast<float>(1.0 - step.beta2);
  epsilon = static_cast<float>(step.epsilon);
  keep = static_cast<float>(1.0 - step.learning_rate * step.weight_decay);
  step_size = static_cast<float>(step.learning_rate / correction1);
  root_scale = static_cast<float>(1.0 / std::sqrt(correction2));
  gradient_scale = static_cast<float>(step.gradient_scale);
  mean_gain = static_cast<float>(step.gradient_scale * (1.0 - step.beta1));
  root_gain = static_cast<float>(step.gradient_scale * std::sqrt(1.0 - step.beta2));
}

namespace reference {

void adamw(const AdamWFactors& factors, const AdamWRun& run) {
  for (std::int64_t i = 0; i < run.count; ++i) {
    const float gradient = scalar::load(run.gradient, run.gradient_type, i);
    scalar::put(run, i, scalar::update(factors, scalar::value(run, i), gradient, run.mean[i], run.square[i]));
  }
}

}  // namespace reference
}  // namespace trireme::offload
