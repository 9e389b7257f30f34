#include "model/cross_entropy.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t not_scored = -100;
/// Logits of one chunk: large enough for efficient products, small beside the weights of a real vocabulary.
constexpr std::int64_t chunk_elements = std::int64_t{1} << 24;

std::int64_t rows_per_chunk(std::int64_t vocabulary) {
  return std::max<std::int64_t>(64, chunk_elements / vocabulary);
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& stored,
                            const at::Tensor& labels, double weight, bool hidden_gradient,
                            bool weight_gradient) {
    const at::Tensor matrix = stored.to(hidden.scalar_type());
    at::Tensor dx = hidden_gradient ? at::empty_like(hidden) : at::Tensor();
    at::Tensor dw =
        weight_gradient ? at::zeros(stored.sizes(), stored.options().dtype(at::kFloat)) : at::Tensor();
    at::Tensor total = at::zeros({}, hidden.options().dtype(at::kDouble));
    const std::int64_t rows = hidden.size(0), step = rows_per_chunk(stored.size(0));
    for (std::int64_t begin = 0; begin < rows; begin += step) {
      const std::int64_t count = std::min(step, rows - begin);
      const at::Tensor x = hidden.narrow(0, begin, count), label = labels.narrow(0, begin, count);
      const at::Tensor scored = label.ne(not_scored).unsqueeze(1);
      const at::Tensor target = label.clamp_min(0).unsqueeze(1).where(scored, at::zeros({}, label.options()));
      const at::Tensor logits = at::linear(x, matrix).to(at::kFloat);
      const at::Tensor normalizer = logits.logsumexp(1, true);
      total += (normalizer - logits.gather(1, target)).mul_(scored).sum(at::kDouble);
      if (!hidden_gradient && !weight_gradient) continue;
      at::Tensor gradient = logits.sub_(normalizer).exp_();
      gradient.scatter_add_(1, target, at::full({count, 1}, -1.0, gradient.options()));
      gradient.mul_(scored.to(at::kFloat).mul_(weight));
      const at::Tensor narrow = gradient.to(hidden.scalar_type());
      if (hidden_gradient) {
        at::Tensor part = dx.narrow(0, begin, count);
        at::mm_out(part, narrow, matrix);
      }
      if (weight_gradient) {
        if (hidden.scalar_type() == at::kFloat) {
          dw.addmm_(narrow.t(), x);
        } else {
          dw.add_(at::mm(narrow.t(), x));
        }
      }
    }
    if (weight_gradient) dw = dw.to(stored.scalar_type());
    context->saved_data["dx"] = dx;
    context->saved_data["dw"] = dw;
    return total.mul_(weight).to(at::kFloat);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto scaled = [&](const char* name) {
      const at::Tensor made = context->saved_data[name].toTensor();
      return made.defined() ? made * gradients[0].to(made.scalar_type()) : made;
    };
    return {scaled("dx"), scaled("dw"), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& output_weight,
                                const at::Tensor& labels, double weight) {
  const bool recording = at::GradMode::is_enabled();
  return LinearCrossEntropy::apply(hidden, output_weight, labels, weight, recording && hidden.requires_grad(),
                                   recording && output_weight.requires_grad());
}

}  // namespace trireme::model
