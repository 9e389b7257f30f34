#include "model/linear.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/pair_linear.h"
#include "model/weight_gradient.h"

namespace trireme::model {

namespace {

/// Calls `use` with a few of the layer's outputs at a time, from where they begin, and their weights in fp32:
/// all of a vocabulary's would be the largest tensor of a step.
template <typename Use>
void widen_by_outputs(const at::Tensor& weight, bool transposed, const Use& use) {
  constexpr std::int64_t most_elements = 8 << 20;
  const int outputs = transposed ? 1 : 0;
  const std::int64_t step = std::max<std::int64_t>(1, most_elements / weight.size(1 - outputs));
  for (std::int64_t begin = 0; begin < weight.size(outputs); begin += step) {
    const std::int64_t count = std::min(step, weight.size(outputs) - begin);
    use(begin, count, weight.narrow(outputs, begin, count).to(at::kFloat));
  }
}

at::Tensor multiply_widened(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            bool transposed) {
  const at::Tensor wide = x.to(at::kFloat);
  auto shape = x.sizes().vec();
  shape.back() = weight.size(transposed ? 1 : 0);
  at::Tensor y = at::empty(shape, x.options());
  widen_by_outputs(weight, transposed, [&](std::int64_t begin, std::int64_t count, const at::Tensor& part) {
    const at::Tensor part_bias = bias.defined() ? bias.narrow(0, begin, count).to(at::kFloat) : bias;
    y.narrow(-1, begin, count).copy_(multiply(wide, part, part_bias, transposed));
  });
  return y;
}

at::Tensor input_gradient_widened(const at::Tensor& gradient, const at::Tensor& weight, bool transposed) {
  auto shape = gradient.sizes().vec();
  shape.back() = weight.size(transposed ? 0 : 1);
  const at::Tensor wide = gradient.reshape({-1, gradient.size(-1)}).to(at::kFloat);
  at::Tensor dx = at::zeros({wide.size(0), shape.back()}, wide.options());
  widen_by_outputs(weight, transposed, [&](std::int64_t begin, std::int64_t count, const at::Tensor& part) {
    dx.addmm_(wide.narrow(1, begin, count), transposed ? part.t() : part);
  });
  return dx.to(at::kHalf).reshape(shape);
}

}  // namespace

at::Tensor multiply(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool transposed) {
  if (multiplies_slowly(x)) return multiply_widened(x, weight, bias, transposed);
  if (takes_pairs(x, weight, !transposed)) {
    const at::Tensor y = transposed ? pair_product(x, weight) : pair_product_transposed(x, weight);
    return bias.defined() ? y.add_(bias) : y;
  }
  if (!transposed) return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
  if (!bias.defined()) return at::matmul(x, weight);
  auto shape = x.sizes().vec();
  shape.back() = weight.size(1);
  return at::addmm(bias, x.reshape({-1, x.size(-1)}), weight).reshape(shape);
}

at::Tensor input_gradient(const at::Tensor& gradient, const at::Tensor& weight, bool transposed) {
  if (multiplies_slowly(gradient)) return input_gradient_widened(gradient, weight, transposed);
  if (takes_pairs(gradient, weight, transposed))
    return transposed ? pair_product_transposed(gradient, weight) : pair_product(gradient, weight);
  return at::matmul(gradient, transposed ? weight.t() : weight);
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Saves x, or how it is made again, and the weight as it is stored; autograd alone would save the cast copy.
struct CastLinear : torch::autograd::Function<CastLinear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, bool transposed,
                            const sharding::GradientSinkPtr& sink, const RemadePtr& again) {
    // What a frozen weight is multiplied with is not needed again.
    variable_list kept{weight.requires_grad() && !again ? x : at::Tensor(), weight};
    if (weight.requires_grad() && again) {
      again->expect();
      context->saved_data["again"] = at::IValue::make_capsule(again);
    }
    if (bias) kept.push_back(*bias);
    context->save_for_backward(kept);
    context->saved_data["transposed"] = transposed;
    context->saved_data["type"] = x.scalar_type();
    context->saved_data["sink"] = sharding::kept(sink);
    const at::Tensor cast_bias = bias ? bias->to(x.scalar_type()) : at::Tensor();
    return multiply(x, weight.to(x.scalar_type()), cast_bias, transposed);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &weight = saved[1], &gradient = gradients[0];
    const bool transposed = context->saved_data["transposed"].toBool();
    const sharding::GradientSinkPtr sink = sharding::sink_in(context->saved_data["sink"]);
    const at::Tensor rows = gradient.reshape({-1, gradient.size(-1)});
    at::Tensor dx, dw, db;
    if (context->needs_input_grad(0)) {
      const at::Tensor cast = weight.to(context->saved_data["type"].toScalarType());
      dx = input_gradient(gradient, cast, transposed);
    }
    if (context->needs_input_grad(1)) {
      const at::Tensor x = input_of(context, saved[0]), inputs = x.reshape({-1, x.size(-1)});
      dw = transposed ? product_gradient(sink, weight, inputs, rows)
                      : product_gradient(sink, weight, rows, inputs);
    }
    if (saved.size() > 2 && context->needs_input_grad(2))
      db = hand_over(sink, saved[2], rows.sum(0, false, at::kFloat));
    return {dx, dw, db, at::Tensor(), at::Tensor(), at::Tensor()};
  }

  static at::Tensor input_of(AutogradContext* context, const at::Tensor& kept) {
    const auto again = context->saved_data.find("again");
    return again == context->saved_data.end()
               ? kept
               : c10::static_intrusive_pointer_cast<Remade>(again->second.toCapsule())->take();
  }
};

}  // namespace

at::Tensor linear(const Remakable& input, const at::Tensor& weight, const at::Tensor& bias, bool transposed,
                  const sharding::GradientSinkPtr& sink) {
  const at::Tensor& x = input.value;
  const bool casts = x.scalar_type() != weight.scalar_type() || multiplies_slowly(x);
  if (!casts && x.scalar_type() != at::kBFloat16 && !sink) return multiply(x, weight, bias, transposed);
  const std::optional<at::Tensor> present = bias.defined() ? std::optional(bias) : std::nullopt;
  return CastLinear::apply(x, weight, present, transposed, sink, input.again);
}

}  // namespace trireme::model
