#include "model/nf4.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/device_kernels.h"
#include "core/error.h"
#include "model/kernels/kernel_for.h"
#include "model/linear.h"
#include "offload/optimizer/dynamic_codes.h"
#include "sharding/codecs/nf4.h"
#include "sharding/layout.h"

namespace trireme::model {
namespace {

using sharding::Nf4Shape;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::string_view suffix = ".nf4";
/// Blocks that a thread takes at once.
constexpr std::int64_t blocks_a_turn = 64;

/// What the codes of the blocks' magnitudes stand for, where the device finds it; made once for each. Never
/// freed: a device's memory cannot be given back when the program ends.
const float* largest_values(const at::Device& device) {
  static std::mutex mutex;
  static auto& made = *new std::map<std::string, at::Tensor>;
  const std::lock_guard lock(mutex);
  at::Tensor& values = made[device.str()];
  if (!values.defined())
    values = at::tensor(at::ArrayRef<float>(offload::dynamic_codes(true)), at::kFloat).to(device);
  return values.const_data_ptr<float>();
}

at::Tensor dequantised_on(DeviceKernels& device, const at::Tensor& given, at::IntArrayRef shape,
                          at::ScalarType type, DType kernel_type) {
  const at::Tensor bytes = given.contiguous(), weight = at::empty(shape, bytes.options().dtype(type));
  const Nf4Shape layout(weight.numel());
  const auto* from = bytes.const_data_ptr<std::uint8_t>();
  require(reinterpret_cast<std::uintptr_t>(from) % alignof(float) == 0,
          "a weight in 4 bits lies where no float could");
  trireme::kernels::Nf4Weight coded;
  coded.codes = from + layout.codes_at(), coded.largest = from + layout.largest_at();
  coded.nested = reinterpret_cast<const float*>(from + layout.nested_at());
  coded.offset = reinterpret_cast<const float*>(from + layout.offset_at());
  coded.elements = layout.elements();
  std::copy_n(sharding::nf4_values(), coded.values.size(), coded.values.begin());
  coded.largest_values = largest_values(bytes.device());
  device.dequantise_nf4(coded, weight.data_ptr(), kernel_type);
  return weight;
}

at::Tensor dequantised(const at::Tensor& bytes, at::IntArrayRef shape, at::ScalarType type) {
  if (const auto kernel = kernels::kernel_for(bytes, type); kernel && kernel->device)
    return dequantised_on(*kernel->device, bytes, shape, type, kernel->type);
  const at::Tensor host = bytes.to(at::kCPU).contiguous();
  const bool narrow = type == at::kBFloat16;
  at::Tensor weight = at::empty(shape, at::TensorOptions().dtype(narrow ? at::kBFloat16 : at::kFloat));
  const Nf4Shape layout(weight.numel());
  const std::uint8_t* from = host.const_data_ptr<std::uint8_t>();
  at::parallel_for(0, layout.blocks(), blocks_a_turn, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t begin = first * Nf4Shape::block,
                       count = std::min(last * Nf4Shape::block, layout.elements()) - begin;
    if (narrow) {
      dequantise_nf4_bf16(layout, from, begin, count,
                          reinterpret_cast<std::uint16_t*>(weight.data_ptr<at::BFloat16>()) + begin);
    } else {
      dequantise_nf4(layout, from, begin, count, weight.data_ptr<float>() + begin);
    }
  });
  return weight.to(bytes.device(), type);
}

struct Nf4Linear : torch::autograd::Function<Nf4Linear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& bytes,
                            const std::vector<std::int64_t>& shape, const std::optional<at::Tensor>& bias,
                            bool transposed) {
    context->save_for_backward({bytes});
    context->saved_data["shape"] = shape;
    context->saved_data["transposed"] = transposed;
    const at::Tensor weight = dequantised(bytes, shape, x.scalar_type());
    return linear({x, {}}, weight, bias ? bias->to(x.scalar_type()) : at::Tensor(), transposed);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor bytes = context->get_saved_variables()[0], &gradient = gradients[0];
    const auto shape = context->saved_data["shape"].toIntVector();
    at::Tensor dx;
    if (context->needs_input_grad(0)) {
      const at::Tensor weight = dequantised(bytes, shape, gradient.scalar_type());
      dx = input_gradient(gradient, weight, context->saved_data["transposed"].toBool());
    }
    return {dx, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

sharding::Parameter nf4_parameter(const sharding::Parameter& weight) {
  return {weight.name + std::string(suffix), {Nf4Shape(sharding::element_count(weight)).bytes()}};
}

bool is_nf4(std::string_view parameter) {
  return parameter.ends_with(suffix);
}

std::string name_without_nf4(const std::string& parameter) {
  return parameter.substr(0, parameter.size() - suffix.size());
}

at::Tensor nf4_linear(const at::Tensor& x, const at::Tensor& bytes, at::IntArrayRef shape,
                      const at::Tensor& bias, bool transposed) {
  const std::optional<at::Tensor> present = bias.defined() ? std::optional(bias) : std::nullopt;
  return Nf4Linear::apply(x, bytes, shape.vec(), present, transposed);
}

}  // namespace trireme::model
