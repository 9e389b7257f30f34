#include "model/rope.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/device_kernels.h"
#include "model/kernels/kernel_for.h"
#include "model/kernels/rotate_rows.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Llama 3.1: long waves are slowed by the factor, short ones stay, those between are blended.
double llama3_frequency(const RopeSpec& rope, double frequency) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < rope.original_positions / rope.high_frequency_factor) return frequency;
  if (wavelength > rope.original_positions / rope.low_frequency_factor) return frequency / rope.factor;
  const double blend = (rope.original_positions / wavelength - rope.low_frequency_factor) /
                       (rope.high_frequency_factor - rope.low_frequency_factor);
  return (1 - blend) * frequency / rope.factor + blend * frequency;
}

/// Rows may lie apart, as they do in a slice of a fused projection; heads may not.
bool heads_are_dense(const at::Tensor& x) {
  return x.stride(3) == 1 && x.stride(2) == x.size(3) && x.stride(0) == x.size(1) * x.stride(1);
}

at::Tensor turn_with_kernel(const at::Tensor& given, const at::Tensor& positions, const RopeTable::Rows& rows,
                            double direction, const kernels::Kernel& kernel) {
  const at::Tensor x = heads_are_dense(given) ? given : given.contiguous(), where = positions.contiguous();
  const std::int64_t count = x.size(0) * x.size(1);
  at::Tensor turned = at::empty(x.sizes(), x.options());
  kernels::Rotation args;
  args.x = x.data_ptr(), args.stride = x.stride(1), args.out = turned.data_ptr();
  args.positions = where.data_ptr<std::int64_t>();
  args.cosine = rows.cosine.data_ptr<float>(), args.sine = rows.sine.data_ptr<float>();
  args.heads = x.size(2), args.head_size = x.size(3), args.direction = static_cast<float>(direction);
  if (kernel.device) {
    kernel.device->rotate(args, count, kernel.type);
    return turned;
  }
  at::parallel_for(0, count, 1 + kernels::elements_a_thread / (x.size(2) * x.size(3)),
                   [&](std::int64_t begin, std::int64_t end) {
                     kernels::rotate_rows(args, begin, end - begin, kernel.type);
                   });
  return turned;
}

at::Tensor turn(const at::Tensor& x, const at::Tensor& positions, const RopeTable::Rows& rows,
                double direction) {
  if (const auto kernel = kernels::kernel_for(x))
    return turn_with_kernel(x, positions.expand({x.size(0), x.size(1)}), rows, direction, *kernel);
  const auto pick = [&](const at::Tensor& table) {
    return table.index_select(0, positions.reshape({-1})).view({positions.size(0), positions.size(1), 1, -1});
  };
  const at::Tensor cosine = pick(rows.cosine), sine = pick(rows.sine).mul_(direction);
  const at::Tensor wide = x.to(at::kFloat);
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor first = wide.narrow(-1, 0, half), second = wide.narrow(-1, half, half);
  at::Tensor turned = at::empty(x.sizes(), wide.options());
  turned.narrow(-1, 0, half).copy_(first * cosine).addcmul_(second, sine, -1);
  turned.narrow(-1, half, half).copy_(second * cosine).addcmul_(first, sine);
  return turned.to(x.scalar_type());
}

struct Rotate : torch::autograd::Function<Rotate> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& positions,
                            const at::Tensor& cosine, const at::Tensor& sine) {
    context->save_for_backward({positions, cosine, sine});
    return turn(x, positions, {cosine, sine}, 1.0);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    return {turn(gradients[0], saved[0], {saved[1], saved[2]}, -1.0), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

std::vector<double> rope_frequencies(const RopeSpec& rope, std::int64_t head_size) {
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < head_size; i += 2) {
    double frequency = std::pow(rope.theta, -static_cast<double>(i) / static_cast<double>(head_size));
    if (rope.kind == RopeKind::linear) frequency /= rope.factor;
    if (rope.kind == RopeKind::llama3) frequency = llama3_frequency(rope, frequency);
    frequencies.push_back(frequency);
  }
  return frequencies;
}

RopeTable::RopeTable(const RopeSpec& rope, std::int64_t head_size)
    : frequencies_(rope_frequencies(rope, head_size)) {}

RopeTable::Rows RopeTable::at_least(std::int64_t positions, const at::Device& device) {
  const std::lock_guard lock(mutex_);
  if (!rows_.cosine.defined() || rows_.cosine.size(0) < positions || rows_.cosine.device() != device) {
    const auto options = at::TensorOptions().dtype(at::kFloat);
    at::Tensor frequencies = at::empty({static_cast<std::int64_t>(frequencies_.size())}, options);
    for (std::size_t i = 0; i < frequencies_.size(); ++i)
      frequencies.data_ptr<float>()[i] = static_cast<float>(frequencies_[i]);
    const at::Tensor angles = at::outer(at::arange(positions, options), frequencies);
    rows_ = {angles.cos().to(device), angles.sin().to(device)};
  }
  return rows_;
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& positions, const RopeTable::Rows& rows) {
  return Rotate::apply(x, positions, rows.cosine, rows.sine);
}

}  // namespace trireme::model
