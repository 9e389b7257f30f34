#include "model/weight_gradient.h"

#include <ATen/ATen.h>

#include "model/kernels/pair_products.h"
#include "model/pair_linear.h"

namespace trireme::model {

bool multiplies_slowly(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kHalf;
}

namespace {

/// Sums in fp32 from the first to the last, without a temporary.
void add_product_of_halves(const at::Tensor& left, const at::Tensor& right, at::Tensor into, bool add) {
  if (add) {
    at::addmm_outf(into, left.t(), right, at::kFloat, 1, 1, into);
  } else {
    at::mm_outf(left.t(), right, at::kFloat, into);
  }
}

}  // namespace

void add_product(const at::Tensor& left, const at::Tensor& right, const at::Tensor& into, bool add) {
  if (left.is_cpu() && left.scalar_type() == at::kBFloat16 && kernels::multiplies_pairs())
    return pair_product_of_columns(left.contiguous(), right.contiguous(), into, add);
  if (multiplies_slowly(left)) return add_product(left.to(at::kFloat), right.to(at::kFloat), into, add);
  if (left.is_cuda() && left.scalar_type() != at::kFloat && left.scalar_type() != at::kDouble)
    return add_product_of_halves(left, right, into, add);
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
  if (!slot) {
    const at::ScalarType type = multiplies_slowly(left) ? at::kFloat : left.scalar_type();
    return at::mm(left.to(type).t(), right.to(type)).to(weight.scalar_type());
  }
  add_product(left, right, slot->into, slot->add);
  slot->add = slot->written = true;
  return {};
}

}  // namespace trireme::model
