#include "model/linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool transposed) {
  if (!transposed) return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
  if (!bias.defined()) return at::matmul(x, weight);
  auto shape = x.sizes().vec();
  shape.back() = weight.size(1);
  return at::addmm(bias, x.reshape({-1, x.size(-1)}), weight).reshape(shape);
}

/// Saves x and the weight as it is stored; autograd alone would save the cast copy.
struct CastLinear : torch::autograd::Function<CastLinear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, bool transposed) {
    context->save_for_backward({x, weight});
    context->saved_data["transposed"] = transposed;
    context->saved_data["bias_type"] = bias ? static_cast<int>(bias->scalar_type()) : -1;
    const at::Tensor cast_bias = bias ? bias->to(x.scalar_type()) : at::Tensor();
    return product(x, weight.to(x.scalar_type()), cast_bias, transposed);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &gradient = gradients[0];
    const bool transposed = context->saved_data["transposed"].toBool();
    const int bias_type = static_cast<int>(context->saved_data["bias_type"].toInt());
    const at::Tensor rows = gradient.reshape({-1, gradient.size(-1)});
    at::Tensor dx, dw, db;
    if (context->needs_input_grad(0)) {
      const at::Tensor cast = weight.to(x.scalar_type());
      dx = at::matmul(gradient, transposed ? cast.t() : cast);
    }
    if (context->needs_input_grad(1)) {
      const at::Tensor inputs = x.reshape({-1, x.size(-1)});
      dw = (transposed ? at::mm(inputs.t(), rows) : at::mm(rows.t(), inputs)).to(weight.scalar_type());
    }
    if (bias_type >= 0 && context->needs_input_grad(2))
      db = rows.sum(0, false, at::kFloat).to(static_cast<at::ScalarType>(bias_type));
    return {dx, dw, db, at::Tensor()};
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool transposed) {
  if (x.scalar_type() == weight.scalar_type()) return product(x, weight, bias, transposed);
  const std::optional<at::Tensor> present = bias.defined() ? std::optional(bias) : std::nullopt;
  return CastLinear::apply(x, weight, present, transposed);
}

}  // namespace trireme::model
