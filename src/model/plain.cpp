#include "model/plain.h"

#include <ATen/ATen.h>

namespace trireme::model::plain {

at::Tensor factors(NormKind kind, const at::Tensor& weight) {
  return kind == NormKind::rms_plus_one ? weight + 1 : weight;
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const at::Tensor wide = x.to(at::promoteTypes(x.scalar_type(), at::kFloat));
  const at::Tensor scale = (wide.square().mean(-1, true) + epsilon).rsqrt();
  return (wide * scale * weight).to(x.scalar_type());
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& positions, const RopeTable::Rows& rows) {
  const auto pick = [&](const at::Tensor& table) {
    return table.index_select(0, positions.reshape({-1})).view({positions.size(0), positions.size(1), 1, -1});
  };
  const at::Tensor cosine = pick(rows.cosine), sine = pick(rows.sine);
  const at::Tensor wide = x.to(at::promoteTypes(x.scalar_type(), at::kFloat));
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor first = wide.narrow(-1, 0, half), second = wide.narrow(-1, half, half);
  return at::cat({first * cosine - second * sine, second * cosine + first * sine}, -1).to(x.scalar_type());
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  return at::silu(gate) * up;
}

at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& output_weight,
                                const at::Tensor& labels, double weight, double cap) {
  const at::Tensor logits = at::linear(hidden, output_weight.to(hidden.scalar_type()));
  at::Tensor wide = logits.to(at::promoteTypes(logits.scalar_type(), at::kFloat));
  if (cap > 0) wide = (wide / cap).tanh() * cap;
  return at::cross_entropy_loss(wide, labels, {}, at::Reduction::Sum, -100) * weight;
}

}  // namespace trireme::model::plain
