#include "optim/sgd.h"

#include "core/device_kernels.h"
#include "offload/optimizer/sgd.h"
#include "optim/updated_values.h"

namespace trireme::optim {
namespace {

void update_on_host(const offload::SgdRun& run) {
  const float rate = run.rate, scale = run.scale, decay = run.decay, momentum = run.momentum,
              taken = run.taken;
  const bool nesterov = run.nesterov;
  const float* __restrict gradients = run.gradient;
  with_values(run, [&](const auto& values) {
    if (!run.buffer) {
      for (std::int64_t i = 0; i < run.count; ++i) {
        const float value = values.get(i);
        values.put(i, value - rate * (gradients[i] * scale + decay * value));
      }
      return;
    }
    float* __restrict buffer = run.buffer;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < run.count; ++i) {
      const float value = values.get(i), gradient = gradients[i] * scale + decay * value;
      buffer[i] = momentum * buffer[i] + taken * gradient;
      values.put(i, value - rate * (nesterov ? gradient + momentum * buffer[i] : buffer[i]));
    }
  });
}

}  // namespace

std::vector<sharding::StateKind> Sgd::states() const {
  if (settings_.momentum == 0.0) return {};
  return {{"momentum_buffer"}};
}

void Sgd::update(const sharding::UpdateRun& run, const sharding::UpdateScalars& scalars) const {
  offload::SgdRun work;
  static_cast<offload::UpdatedValues&>(work) = values_of(run);
  work.gradient = run.gradient;
  if (!run.states.empty()) work.buffer = reinterpret_cast<float*>(run.states[0]);
  work.count = run.count;
  work.rate = static_cast<float>(scalars.learning_rate);
  work.scale = static_cast<float>(scalars.gradient_scale);
  work.decay = static_cast<float>(settings_.weight_decay(*run.parameter));
  work.momentum = static_cast<float>(settings_.momentum);
  // The buffer starts as the first gradient, undampened.
  work.taken = scalars.step == 1 ? 1.0f : static_cast<float>(1.0 - settings_.dampening);
  work.nesterov = settings_.nesterov;
  run.device ? run.device->sgd(work) : update_on_host(work);
}

}  // namespace trireme::optim
