#include "model/kept_attention.h"

#include <optional>
#include <tuple>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/weight_gradient.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor widened(const at::Tensor& tensor) {
  return multiplies_slowly(tensor) ? tensor.to(at::kFloat) : tensor;
}

std::pair<at::Tensor, at::Tensor> attend_widened(const at::Tensor& query, const at::Tensor& key,
                                                 const at::Tensor& value, double scale) {
  const at::AutoGradMode silent(false);
  const auto [result, log_sums] = at::_scaled_dot_product_flash_attention_for_cpu(
      widened(query), widened(key), widened(value), 0.0, true, std::nullopt, scale);
  return {result.to(query.scalar_type()), log_sums};
}

/// Attention whose result is known already.
struct KnownAttention : torch::autograd::Function<KnownAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, const at::Tensor& result, const at::Tensor& log_sums,
                            double scale) {
    context->save_for_backward({query, key, value, result, log_sums});
    context->saved_data["scale"] = scale;
    return result.detach();
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto [query, key, value] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        widened(gradients[0]), widened(saved[0]), widened(saved[1]), widened(saved[2]), widened(saved[3]),
        saved[4], 0.0, true, std::nullopt, context->saved_data["scale"].toDouble());
    const at::ScalarType type = saved[0].scalar_type();
    return {query.to(type), key.to(type), value.to(type), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor kept_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          double scale, sharding::KeptPieces* pieces) {
  if (pieces && pieces->complete()) {
    const at::Tensor result = pieces->next(), log_sums = pieces->next();
    return KnownAttention::apply(query, key, value, result, log_sums, scale);
  }
  if (multiplies_slowly(query)) {
    const auto [result, log_sums] = attend_widened(query, key, value, scale);
    if (pieces) pieces->keep(result), pieces->keep(log_sums);
    return KnownAttention::apply(query, key, value, result, log_sums, scale);
  }
  const auto [result, log_sums] =
      at::_scaled_dot_product_flash_attention_for_cpu(query, key, value, 0.0, true, std::nullopt, scale);
  if (pieces) pieces->keep(result), pieces->keep(log_sums);
  return result;
}

}  // namespace trireme::model
