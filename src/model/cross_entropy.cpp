#include "model/cross_entropy.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/device_kernels.h"
#include "core/error.h"
#include "model/kernels/kernel_for.h"
#include "model/kernels/softmax_rows.h"
#include "model/linear.h"
#include "model/pair_linear.h"
#include "model/vocabulary.h"
#include "model/weight_gradient.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t not_scored = -100;

/// Logits become gradients in place; the sum of the losses, not weighted.
at::Tensor with_kernel(const at::Tensor& logits, const at::Tensor& labels, double weight, bool gradients,
                       const kernels::Kernel& kernel) {
  const std::int64_t rows = logits.size(0);
  const at::Tensor losses = at::empty({rows}, logits.options().dtype(at::kDouble)),
                   label = labels.contiguous();
  const kernels::SoftmaxLoss args{
      logits.data_ptr(),         logits.size(1), label.data_ptr<std::int64_t>(), static_cast<float>(weight),
      losses.data_ptr<double>(), gradients};
  if (kernel.device) {
    kernel.device->softmax_loss(args, rows, kernel.type);
    return losses.sum();
  }
  at::parallel_for(0, rows, 1 + kernels::elements_a_thread / logits.size(1),
                   [&](std::int64_t begin, std::int64_t end) {
                     kernels::softmax_loss_rows(args, begin, end - begin, kernel.type);
                   });
  double total = 0;
  for (std::int64_t row = 0; row < rows; ++row) total += losses.data_ptr<double>()[row];
  return at::full({}, total, losses.options());
}

struct ChunkResult {
  at::Tensor gradient;
  /// A double where the logits lie, so that nobody waits for a device.
  at::Tensor loss;
};

ChunkResult with_tensors(const at::Tensor& narrow, const at::Tensor& label, double weight, bool gradients) {
  const at::Tensor scored = label.ne(not_scored).unsqueeze(1);
  const at::Tensor target = label.clamp_min(0).unsqueeze(1);
  const at::Tensor logits = narrow.to(at::kFloat), normalizer = logits.logsumexp(1, true);
  ChunkResult made;
  made.loss = (normalizer - logits.gather(1, target)).mul_(scored).sum(at::kDouble);
  if (!gradients) return made;
  at::Tensor gradient = logits.sub_(normalizer).exp_();
  gradient.scatter_add_(1, target, at::full({label.size(0), 1}, -1.0, gradient.options()));
  made.gradient = gradient.mul_(scored.to(at::kFloat).mul_(weight)).to(narrow.scalar_type());
  return made;
}

ChunkResult loss_of(const at::Tensor& logits, const at::Tensor& labels, double weight, bool gradients,
                    double cap) {
  if (cap > 0) {
    const at::Tensor share = logits.div(cap).tanh_();
    ChunkResult made = loss_of(share * cap, labels, weight, gradients, 0);
    if (gradients) made.gradient.mul_(1 - share.square());
    return made;
  }
  if (const auto kernel = kernels::kernel_for(logits))
    return {logits, with_kernel(logits, labels, weight, gradients, *kernel)};
  return with_tensors(logits, labels, weight, gradients);
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& stored,
                            const at::Tensor& labels, double weight, bool hidden_gradient,
                            bool weight_gradient, const sharding::GradientSinkPtr& sink, double cap) {
    const at::Tensor matrix = stored.to(hidden.scalar_type());
    sharding::GradientSink::Slot* slot = sink && weight_gradient ? sink->find(stored) : nullptr;
    at::Tensor dx = hidden_gradient ? at::empty_like(hidden) : at::Tensor(), dw;
    if (weight_gradient && !slot) dw = at::zeros(stored.sizes(), stored.options().dtype(at::kFloat));
    const std::int64_t rows = hidden.size(0), step = rows_at_once(hidden, stored.size(0));
    at::Tensor total = at::zeros({}, hidden.options().dtype(at::kDouble));
    for (std::int64_t begin = 0; begin < rows; begin += step) {
      const std::int64_t count = std::min(step, rows - begin);
      const at::Tensor x = hidden.narrow(0, begin, count);
      const ChunkResult chunk = loss_of(multiply(x, matrix, {}, false), labels.narrow(0, begin, count),
                                        weight, hidden_gradient || weight_gradient, cap);
      total.add_(chunk.loss);
      if (hidden_gradient) {
        at::Tensor part = dx.narrow(0, begin, count);
        if (takes_pairs(chunk.gradient, matrix, false)) {
          pair_product(chunk.gradient, matrix, part);
        } else if (multiplies_slowly(matrix)) {
          part.copy_(input_gradient(chunk.gradient, matrix, false));
        } else {
          at::mm_out(part, chunk.gradient, matrix);
        }
      }
      if (weight_gradient) {
        add_product(chunk.gradient, x, slot ? slot->into : dw, slot ? slot->add : true);
        if (slot) slot->add = slot->written = true;
      }
    }
    context->saved_data["dx"] = dx;
    context->saved_data["dw"] = dw.defined() ? dw.to(stored.scalar_type()) : dw;
    context->saved_data["in_slot"] = slot != nullptr;
    return total.mul_(weight).to(at::kFloat);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    // A look at a device's number would make the host wait for it.
    if (context->saved_data["in_slot"].toBool() && gradients[0].is_cpu())
      require(gradients[0].item<double>() == 1.0,
              "the gradient of a loss whose weight's gradient is in its slot already is {}, not 1",
              gradients[0].item<double>());
    const auto scaled = [&](const char* name) {
      const at::Tensor made = context->saved_data[name].toTensor();
      return made.defined() ? made * gradients[0].to(made.scalar_type()) : made;
    };
    return {scaled("dx"), scaled("dw"), at::Tensor(), at::Tensor(),
            at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& output_weight,
                                const at::Tensor& labels, double weight,
                                const sharding::GradientSinkPtr& sink, double cap) {
  const bool recording = at::GradMode::is_enabled();
  return LinearCrossEntropy::apply(hidden, output_weight, labels, weight, recording && hidden.requires_grad(),
                                   recording && output_weight.requires_grad(), sink, cap);
}

std::int64_t count_hits(const at::Tensor& hidden, const at::Tensor& output_weight, const at::Tensor& labels) {
  const at::NoGradGuard guard;
  const at::Tensor matrix = output_weight.to(hidden.scalar_type());
  const std::int64_t rows = hidden.size(0), step = rows_at_once(hidden, matrix.size(0));
  at::Tensor hits = at::zeros({}, labels.options().dtype(at::kLong));
  for (std::int64_t begin = 0; begin < rows; begin += step) {
    const std::int64_t count = std::min(step, rows - begin);
    const at::Tensor likely = multiply(hidden.narrow(0, begin, count), matrix, {}, false).argmax(1);
    hits.add_(likely.eq(labels.narrow(0, begin, count)).sum());
  }
  return hits.item<std::int64_t>();
}

}  // namespace trireme::model
