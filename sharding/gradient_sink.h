#pragma once
#include <unordered_map>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

namespace trireme::sharding {

/// Where operations put the gradients of weights themselves, in fp32 and past autograd, so that no temporary
/// of a weight's size is made. Open while a unit's backward runs.
class GradientSink : public torch::CustomClassHolder {
 public:
  struct Slot {
    at::Tensor into;
    /// Whether something is there already that the next gradient is added to.
    bool add = false;
    bool written = false;
  };

  void open(const at::Tensor& weight, const at::Tensor& into, bool add);
  void close() { slots_.clear(); }
  /// Null where the weight's gradient goes through autograd.
  Slot* find(const at::Tensor& weight);
  bool written(const at::Tensor& weight) { return find(weight) && find(weight)->written; }

 private:
  std::unordered_map<const void*, Slot> slots_;
};

using GradientSinkPtr = c10::intrusive_ptr<GradientSink>;
/// As an operation keeps it from its forward to its backward.
inline at::IValue kept(const GradientSinkPtr& sink) {
  return sink ? at::IValue::make_capsule(sink) : at::IValue();
}
inline GradientSinkPtr sink_in(const at::IValue& kept) {
  return kept.isNone() ? GradientSinkPtr()
                       : c10::static_intrusive_pointer_cast<GradientSink>(kept.toCapsule());
}

/// Puts a weight's whole gradient into its slot and returns an undefined tensor; without a slot returns it in
/// the weight's type, for autograd.
at::Tensor hand_over(const GradientSinkPtr& sink, const at::Tensor& weight, const at::Tensor& gradient);

}  // namespace trireme::sharding
