#pragma once
#include "optim/adamw.h"

namespace trireme::optim {

struct SgdSettings {
  double momentum = 0.0;
  double dampening = 0.0;
  bool nesterov = false;
  DecayOf weight_decay = decay_all(0.0);
};

/// Stochastic gradient descent with momentum, as torch.optim.SGD.
class Sgd final : public sharding::Optimizer {
 public:
  explicit Sgd(SgdSettings settings) : settings_(std::move(settings)) {}
  std::string_view name() const override { return "sgd"; }
  std::vector<sharding::StateKind> states() const override;
  sharding::Granule granule() const override { return sharding::Granule::element(); }
  void update(const sharding::UpdateRun& run, const sharding::UpdateScalars& scalars) const override;

 private:
  SgdSettings settings_;
};

}  // namespace trireme::optim
