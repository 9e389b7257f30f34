#include "model/kept_attention.h"

#include <optional>
#include <tuple>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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
    auto [query, key, value] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        gradients[0], saved[0], saved[1], saved[2], saved[3], saved[4], 0.0, true, std::nullopt,
        context->saved_data["scale"].toDouble());
    return {query, key, value, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor kept_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          double scale, sharding::KeptPieces& pieces) {
  if (pieces.complete()) {
    const at::Tensor result = pieces.next(), log_sums = pieces.next();
    return KnownAttention::apply(query, key, value, result, log_sums, scale);
  }
  const auto [result, log_sums] =
      at::_scaled_dot_product_flash_attention_for_cpu(query, key, value, 0.0, true, std::nullopt, scale);
  pieces.keep(result), pieces.keep(log_sums);
  return result;
}

}  // namespace trireme::model
