#include "sharding/gradient_sink.h"

#include <ATen/ATen.h>

namespace trireme::sharding {

void GradientSink::open(const at::Tensor& weight, const at::Tensor& into, bool add) {
  slots_[weight.data_ptr()] = {into, add};
}

GradientSink::Slot* GradientSink::find(const at::Tensor& weight) {
  const auto found = slots_.find(weight.data_ptr());
  return found == slots_.end() ? nullptr : &found->second;
}

at::Tensor hand_over(const GradientSinkPtr& sink, const at::Tensor& weight, const at::Tensor& gradient) {
  GradientSink::Slot* slot = sink ? sink->find(weight) : nullptr;
  if (!slot) return gradient.to(weight.scalar_type());
  slot->add ? slot->into.add_(gradient) : slot->into.copy_(gradient);
  slot->add = slot->written = true;
  return {};
}

}  // namespace trireme::sharding
