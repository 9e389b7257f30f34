#include "model/norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/device_kernels.h"
#include "model/kernels/kernel_for.h"
#include "model/kernels/norm_rows.h"

namespace trireme::model {
namespace {

using kernels::Kernel;
using kernels::kernel_for;
using sharding::GradientSinkPtr;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The weight's gradient is added up in chunks of so many rows, whatever the number of threads.
constexpr std::int64_t rows_a_chunk = 64;

/// The factors that a weight stands for; made anew in backward, so that nothing derived from it is kept.
at::Tensor factors_of(const at::Tensor& weight, double shift) {
  const at::Tensor wide = weight.to(at::kFloat).contiguous();
  return shift == 0 ? wide : wide + shift;
}

/// What a kind of norm adds to its weight.
double shift_of(NormKind kind) {
  return kind == NormKind::rms_plus_one ? 1.0 : 0.0;
}

struct Forward {
  at::Tensor sum, norm, scale;
};

Forward with_kernel(const at::Tensor& given, const at::Tensor& residual, const at::Tensor& factors,
                    double epsilon, const Kernel& kernel) {
  const at::Tensor x = given.contiguous();
  const at::Tensor other = residual.defined() ? residual.contiguous() : residual;
  const std::int64_t size = x.size(-1), rows = x.numel() / size;
  Forward made{residual.defined() ? at::empty_like(x) : x, at::empty_like(x),
               at::empty({rows}, x.options().dtype(at::kFloat))};
  kernels::NormForward args;
  args.x = x.data_ptr(), args.weight = factors.data_ptr<float>(), args.epsilon = epsilon;
  args.out = made.norm.data_ptr(), args.scale = made.scale.data_ptr<float>(), args.size = size;
  if (residual.defined()) args.residual = other.data_ptr(), args.sum = made.sum.data_ptr();
  if (kernel.device) {
    kernel.device->norm(args, rows, kernel.type);
    return made;
  }
  at::parallel_for(0, rows, 1 + kernels::elements_a_thread / size, [&](std::int64_t begin, std::int64_t end) {
    kernels::norm_rows(args, begin, end - begin, kernel.type);
  });
  return made;
}

Forward with_tensors(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& factors,
                     double epsilon) {
  Forward made;
  made.sum = residual.defined() ? residual + x : x;
  const at::Tensor wide = made.sum.to(at::kFloat);
  made.scale = wide.square().mean(-1, true).add_(epsilon).rsqrt_();
  made.norm = (wide * made.scale).mul_(factors).to(x.scalar_type());
  return made;
}

Forward norm_of(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& factors, double epsilon) {
  const auto kernel = kernel_for(x);
  return kernel ? with_kernel(x, residual, factors, epsilon, *kernel)
                : with_tensors(x, residual, factors, epsilon);
}

struct Gradients {
  at::Tensor dx, dw;
};

Gradients back_with_kernel(const at::Tensor& gradient, const at::Tensor& sum_gradient, const at::Tensor& x,
                           const at::Tensor& factors, const at::Tensor& scale, bool wants_dx, bool wants_dw,
                           const Kernel& kernel) {
  const at::Tensor g = gradient.contiguous();
  const at::Tensor more = sum_gradient.defined() ? sum_gradient.contiguous() : sum_gradient;
  const std::int64_t size = x.size(-1), rows = x.numel() / size;
  const std::int64_t chunks = (rows + rows_a_chunk - 1) / rows_a_chunk;
  Gradients made;
  if (wants_dx) made.dx = at::empty_like(x);
  at::Tensor partial;
  if (wants_dw) {
    const auto wide = x.options().dtype(at::kFloat);
    partial = kernel.device ? at::empty({chunks, size}, wide) : at::zeros({chunks, size}, wide);
  }
  kernels::NormBackward args;
  args.gradient = g.data_ptr(), args.x = x.data_ptr(), args.weight = factors.data_ptr<float>();
  args.scale = scale.data_ptr<float>(), args.size = size;
  if (more.defined()) args.sum_gradient = more.data_ptr();
  if (wants_dx) args.dx = made.dx.data_ptr();
  if (wants_dw) args.dw = partial.data_ptr<float>();
  if (kernel.device) {
    kernel.device->norm_backward(args, rows, rows_a_chunk, kernel.type);
  } else {
    at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t chunk = begin; chunk < end; ++chunk) {
        kernels::NormBackward mine = args;
        if (wants_dw) mine.dw += chunk * size;
        const std::int64_t first = chunk * rows_a_chunk;
        kernels::norm_rows_backward(mine, first, std::min(rows_a_chunk, rows - first), kernel.type);
      }
    });
  }
  if (wants_dw) made.dw = partial.sum(0);
  return made;
}

Gradients back_with_tensors(const at::Tensor& gradient, const at::Tensor& sum_gradient, const at::Tensor& x,
                            const at::Tensor& factors, const at::Tensor& scale, bool wants_dx,
                            bool wants_dw) {
  const at::Tensor wide = gradient.to(at::kFloat), normal = x.to(at::kFloat) * scale;
  Gradients made;
  if (wants_dx) {
    const at::Tensor scaled = wide * factors;
    const at::Tensor mean = (scaled * normal).mean(-1, true);
    at::Tensor dx = scaled.addcmul_(normal, mean, -1).mul_(scale);
    if (sum_gradient.defined()) dx.add_(sum_gradient);
    made.dx = dx.to(x.scalar_type());
  }
  if (wants_dw) made.dw = (wide * normal).reshape({-1, factors.size(0)}).sum(0);
  return made;
}

/// Keeps the sum, the weight and one number a row; plain autograd would keep three float copies of x.
struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               const std::optional<at::Tensor>& residual, const at::Tensor& weight,
                               double epsilon, const GradientSinkPtr& sink, double shift) {
    const at::Tensor other = residual.value_or(at::Tensor()), factors = factors_of(weight, shift);
    const Forward made = norm_of(x, other, factors, epsilon);
    context->save_for_backward({made.sum, weight, made.scale});
    context->saved_data["sink"] = sharding::kept(sink);
    context->saved_data["shift"] = shift;
    context->set_materialize_grads(false);
    if (!residual) return {made.norm};
    return {made.norm, made.sum};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &scale = saved[2];
    const at::Tensor through_sum = gradients.size() > 1 ? gradients[1] : at::Tensor();
    // Inputs are counted without those that were not given.
    const bool summed = gradients.size() > 1;
    const bool wants_dx = context->needs_input_grad(0) || (summed && context->needs_input_grad(1)),
               wants_dw = context->needs_input_grad(summed ? 2 : 1);
    Gradients made{through_sum, {}};
    if (gradients[0].defined()) {
      const auto kernel = kernel_for(x);
      const at::Tensor factors = factors_of(weight, context->saved_data["shift"].toDouble());
      made = kernel
                 ? back_with_kernel(gradients[0], through_sum, x, factors, scale, wants_dx, wants_dw, *kernel)
                 : back_with_tensors(gradients[0], through_sum, x, factors, scale, wants_dx, wants_dw);
    }
    if (made.dw.defined())
      made.dw = hand_over(sharding::sink_in(context->saved_data["sink"]), weight, made.dw);
    return {made.dx, summed ? made.dx : at::Tensor(), made.dw, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

/// `sum`: what was normed, which the norm keeps.
Remakable again_from(const at::Tensor& norm, const at::Tensor& sum, const at::Tensor& weight, double epsilon,
                     double shift) {
  // Of anything else the norm keeps a copy.
  if (!at::GradMode::is_enabled() || !sum.is_contiguous()) return {norm, {}};
  return {norm, c10::make_intrusive<Remade>(
                    [sum = sum.variable_data(), weight = weight.variable_data(), epsilon, shift] {
                      return norm_of(sum, {}, factors_of(weight, shift), epsilon).norm;
                    })};
}

}  // namespace

Remakable rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon, const GradientSinkPtr& sink,
                   double shift) {
  const at::Tensor norm = RmsNorm::apply(x, std::optional<at::Tensor>(), weight, epsilon, sink, shift)[0];
  return again_from(norm, x, weight, epsilon, shift);
}

SumAndNorm add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                        double epsilon, const GradientSinkPtr& sink, double shift) {
  const variable_list made = RmsNorm::apply(x, std::optional(residual), weight, epsilon, sink, shift);
  return {made[1], again_from(made[0], made[1], weight, epsilon, shift)};
}

Remakable normalize(NormKind kind, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    double epsilon, const GradientSinkPtr& sink) {
  if (kind != NormKind::layer) return rms_norm(x, weight, epsilon, sink, shift_of(kind));
  return {at::layer_norm(x, {x.size(-1)}, weight.to(x.scalar_type()), bias.to(x.scalar_type()), epsilon), {}};
}

SumAndNorm add_normalize(NormKind kind, const at::Tensor& residual, const at::Tensor& x,
                         const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                         const GradientSinkPtr& sink) {
  if (kind != NormKind::layer) return add_rms_norm(residual, x, weight, epsilon, sink, shift_of(kind));
  const at::Tensor sum = residual + x;
  return {sum, normalize(kind, sum, weight, bias, epsilon)};
}

}  // namespace trireme::model
