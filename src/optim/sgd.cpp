#include "optim/sgd.h"

#include "optim/updated_values.h"

namespace trireme::optim {

std::vector<sharding::StateKind> Sgd::states() const {
  if (settings_.momentum == 0.0) return {};
  return {{"momentum_buffer"}};
}

void Sgd::update(const sharding::UpdateRun& run, const sharding::UpdateScalars& scalars) const {
  const auto rate = static_cast<float>(scalars.learning_rate),
             scale = static_cast<float>(scalars.gradient_scale);
  const auto decay = static_cast<float>(settings_.weight_decay(*run.parameter)),
             momentum = static_cast<float>(settings_.momentum);
  // The buffer starts as the first gradient, undampened.
  const float taken = scalars.step == 1 ? 1.0f : static_cast<float>(1.0 - settings_.dampening);
  const bool nesterov = settings_.nesterov;
  const float* __restrict gradients = run.gradient;
  with_values(run, [&](const auto& values) {
    if (run.states.empty()) {
      for (std::int64_t i = 0; i < run.count; ++i) {
        const float value = values.get(i);
        values.put(i, value - rate * (gradients[i] * scale + decay * value));
      }
      return;
    }
    float* __restrict buffer = reinterpret_cast<float*>(run.states[0]);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < run.count; ++i) {
      const float value = values.get(i), gradient = gradients[i] * scale + decay * value;
      buffer[i] = momentum * buffer[i] + taken * gradient;
      values.put(i, value - rate * (nesterov ? gradient + momentum * buffer[i] : buffer[i]));
    }
  });
}

}  // namespace trireme::optim
