#include "sharding/views.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "sharding/arrays.h"

namespace trireme::sharding {
namespace {

at::ScalarType tensor_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return at::kFloat;
    case DType::bf16:
      return at::kBFloat16;
    case DType::f16:
      return at::kHalf;
    case DType::u8:
      return at::kByte;
    default:
      fail(ExitCode::internal, "parameters are not stored as {}", name_of(dtype));
  }
}

std::vector<at::Tensor> views_of(const ParamGroup& group, const Layout& layout, void* data, DType dtype,
                                 const at::Device& device) {
  std::vector<at::Tensor> views;
  for (int i = 0; i < static_cast<int>(group.parameters.size()); ++i)
    views.push_back(at::for_blob(offset_by(data, layout.offset(i), dtype),
                                 group.parameters[static_cast<std::size_t>(i)].shape)
                        .target_device(device)
                        .options(at::TensorOptions().dtype(tensor_type(dtype)).device(device))
                        .make_tensor());
  return views;
}

}  // namespace

Views::Views(const Model& model, const Blueprint& blueprint, const std::vector<GroupState>& states,
             const Slots& parameters, const Slots& gradients, const at::Device& device) {
  for (int index = 0; index < static_cast<int>(model.groups.size()); ++index) {
    const auto i = static_cast<std::size_t>(index);
    const ParamGroup& group = model.groups[i];
    const Layout& layout = blueprint.layouts[i];
    weights_.push_back(views_of(group, layout,
                                parameters.has(index) ? parameters.data(index) : states[i].home(),
                                states[i].stored(), device));
    gradients_.emplace_back();
    if (!group.trainable) continue;
    for (at::Tensor& weight : weights_.back()) weight.requires_grad_(true);
    void* gradient = gradients.has(index) ? gradients.data(index) : states[i].gradient();
    gradients_.back() = views_of(group, layout, gradient, DType::f32, device);
  }
}

}  // namespace trireme::sharding
