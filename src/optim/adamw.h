#pragma once
#include <functional>
#include <memory>

#include "sharding/optimizer.h"

namespace trireme::optim {

/// The weight decay of each parameter, from its name and shape.
using DecayOf = std::function<double(const sharding::Parameter& parameter)>;
/// The same for all parameters.
DecayOf decay_all(double weight_decay);
/// None for vectors: biases and norms.
DecayOf decay_matrices(double weight_decay);

struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  DecayOf weight_decay = decay_all(0.0);
};

/// Adam with decoupled weight decay, in the order of operations of torch.optim.AdamW.
class AdamW final : public sharding::Optimizer {
 public:
  explicit AdamW(AdamWSettings settings) : settings_(std::move(settings)) {}
  std::string_view name() const override { return "adamw"; }
  std::vector<sharding::StateKind> states() const override { return {{"exp_avg"}, {"exp_avg_sq"}}; }
  sharding::Granule granule() const override { return sharding::Granule::element(); }
  void update(const sharding::UpdateRun& run, const sharding::UpdateScalars& scalars) const override;

 private:
  AdamWSettings settings_;
};

/// The same with its states in bitsandbytes' blockwise 8-bit form: a byte an element and a scale for each
/// 256.
class AdamW8 final : public sharding::Optimizer {
 public:
  explicit AdamW8(AdamWSettings settings) : settings_(std::move(settings)) {}
  std::string_view name() const override { return "adamw8"; }
  std::vector<sharding::StateKind> states() const override;
  sharding::Granule granule() const override;
  void update(const sharding::UpdateRun& run, const sharding::UpdateScalars& scalars) const override;

 private:
  AdamWSettings settings_;
};

}  // namespace trireme::optim
