#include "model/norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Keeps x, the weight and one number a row; plain autograd would keep three float copies of x.
struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            double epsilon) {
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor scale = wide.square().mean(-1, true).add_(epsilon).rsqrt_();
    context->save_for_backward({x, weight, scale});
    return (wide * scale).mul_(weight).to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &scale = saved[2];
    const at::Tensor gradient = gradients[0].to(at::kFloat);
    const at::Tensor normal = x.to(at::kFloat) * scale;
    at::Tensor dx, dw;
    if (context->needs_input_grad(0)) {
      const at::Tensor scaled = gradient * weight;
      const at::Tensor mean = (scaled * normal).mean(-1, true);
      dx = scaled.addcmul_(normal, mean, -1).mul_(scale).to(x.scalar_type());
    }
    if (context->needs_input_grad(1))
      dw = (gradient * normal).reshape({-1, weight.size(0)}).sum(0).to(weight.scalar_type());
    return {dx, dw, at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return RmsNorm::apply(x, weight, epsilon);
}

at::Tensor normalize(NormKind kind, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double epsilon) {
  if (kind == NormKind::rms) return rms_norm(x, weight, epsilon);
  return at::layer_norm(x, {x.size(-1)}, weight.to(x.scalar_type()), bias.to(x.scalar_type()), epsilon);
}

}  // namespace trireme::model
