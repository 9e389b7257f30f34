#include "model/swiglu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/device_kernels.h"
#include "model/kernels/kernel_for.h"
#include "model/kernels/swiglu.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor product_of(const at::Tensor& gate, const at::Tensor& up) {
  const auto kernel = kernels::kernel_for(gate);
  if (!kernel) return at::silu(gate).mul_(up);
  at::Tensor out = at::empty_like(gate);
  const kernels::SwiGlu args{gate.data_ptr(), up.data_ptr(), out.data_ptr()};
  if (kernel->device) {
    kernel->device->swiglu(args, gate.numel(), kernel->type);
    return out;
  }
  at::parallel_for(0, gate.numel(), kernels::elements_a_thread, [&](std::int64_t begin, std::int64_t end) {
    kernels::swiglu(args, begin, end - begin, kernel->type);
  });
  return out;
}

struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    context->save_for_backward({gate, up});
    return product_of(gate, up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &gate = saved[0], &up = saved[1], gradient = gradients[0].contiguous();
    const auto kernel = kernels::kernel_for(gate);
    if (!kernel) return {at::silu_backward(gradient * up, gate), at::silu(gate).mul_(gradient)};
    at::Tensor dgate = at::empty_like(gate), dup = at::empty_like(up);
    const kernels::SwiGluBackward args{gradient.data_ptr(), gate.data_ptr(), up.data_ptr(), dgate.data_ptr(),
                                       dup.data_ptr()};
    if (kernel->device) {
      kernel->device->swiglu_backward(args, gate.numel(), kernel->type);
      return {dgate, dup};
    }
    at::parallel_for(0, gate.numel(), kernels::elements_a_thread, [&](std::int64_t begin, std::int64_t end) {
      kernels::swiglu_backward(args, begin, end - begin, kernel->type);
    });
    return {dgate, dup};
  }
};

}  // namespace

Remakable swiglu(const at::Tensor& given_gate, const at::Tensor& given_up) {
  const at::Tensor gate = given_gate.contiguous(), up = given_up.contiguous();
  Remakable made{SwiGlu::apply(gate, up), {}};
  if (at::GradMode::is_enabled())
    made.again = c10::make_intrusive<Remade>(
        [gate = gate.variable_data(), up = up.variable_data()] { return product_of(gate, up); });
  return made;
}

}  // namespace trireme::model
