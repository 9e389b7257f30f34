#include "optim/adamw.h"

#include "core/device_kernels.h"
#include "offload/optimizer/adamw8.h"
#include "optim/updated_values.h"

namespace trireme::optim {
namespace {

offload::AdamWFactors factors_of(const AdamWSettings& settings, const sharding::UpdateRun& run,
                                 const sharding::UpdateScalars& scalars) {
  return offload::AdamWFactors({.learning_rate = scalars.learning_rate,
                                .beta1 = settings.beta1,
                                .beta2 = settings.beta2,
                                .epsilon = settings.epsilon,
                                .weight_decay = settings.weight_decay(*run.parameter),
                                .gradient_scale = scalars.gradient_scale,
                                .step = scalars.step});
}

}  // namespace

DecayOf decay_all(double weight_decay) {
  return [weight_decay](const sharding::Parameter&) { return weight_decay; };
}

DecayOf decay_matrices(double weight_decay) {
  return [weight_decay](const sharding::Parameter& parameter) {
    return parameter.shape.size() > 1 ? weight_decay : 0.0;
  };
}

void AdamW::update(const sharding::UpdateRun& run, const sharding::UpdateScalars& scalars) const {
  offload::AdamWRun work;
  static_cast<offload::UpdatedValues&>(work) = values_of(run);
  work.gradient = run.gradient;
  work.mean = reinterpret_cast<float*>(run.states[0]);
  work.square = reinterpret_cast<float*>(run.states[1]);
  work.count = run.count;
  const offload::AdamWFactors factors = factors_of(settings_, run, scalars);
  run.device ? run.device->adamw(factors, work) : offload::adamw(factors, work);
}

std::vector<sharding::StateKind> AdamW8::states() const {
  return {{"exp_avg", DType::u8},
          {"exp_avg_sq", DType::u8},
          {"exp_avg_absmax", DType::f32, offload::state_block},
          {"exp_avg_sq_absmax", DType::f32, offload::state_block}};
}

sharding::Granule AdamW8::granule() const {
  return sharding::Granule::block(offload::state_block);
}

void AdamW8::update(const sharding::UpdateRun& run, const sharding::UpdateScalars& scalars) const {
  offload::AdamW8Run work;
  static_cast<offload::UpdatedValues&>(work) = values_of(run);
  work.gradient = run.gradient;
  work.mean = reinterpret_cast<std::uint8_t*>(run.states[0]);
  work.square = reinterpret_cast<std::uint8_t*>(run.states[1]);
  work.mean_scale = reinterpret_cast<float*>(run.states[2]);
  work.square_scale = reinterpret_cast<float*>(run.states[3]);
  work.count = run.count;
  const offload::AdamWFactors factors = factors_of(settings_, run, scalars);
  run.device ? run.device->adamw8(factors, work) : offload::adamw8(factors, work);
}

}  // namespace trireme::optim
