#include "model/weight_gradient.h"

#include <ATen/ATen.h>

#include "model/kernels/pair_products.h"
#include "model/pair_linear.h"

namespace trireme::model {

void add_product(const at::Tensor& left, const at::Tensor& right, const at::Tensor& into, bool add) {
  if (left.is_cpu() && left.scalar_type() == at::kBFloat16 && kernels::multiplies_pairs())
    return pair_product_of_columns(left.contiguous(), right.contiguous(), into, add);
  at::Tensor target = into;
  if (left.scalar_type() == at::kFloat) {
    if (add) {
      target.addmm_(left.t(), right);
    } else {
      at::mm_out(target, left.t(), right);
    }
    return;
  }
  const at::Tensor product = at::mm(left.t(), right);
  add ? target.add_(product) : target.copy_(product);
}

at::Tensor product_gradient(const sharding::GradientSinkPtr& sink, const at::Tensor& weight,
                            const at::Tensor& left, const at::Tensor& right) {
  sharding::GradientSink::Slot* slot = sink ? sink->find(weight) : nullptr;
  if (!slot) return at::mm(left.t(), right).to(weight.scalar_type());
  add_product(left, right, slot->into, slot->add);
  slot->add = slot->written = true;
  return {};
}

}  // namespace trireme::model
