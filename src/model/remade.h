#pragma once
#include <functional>
#include <utility>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

namespace trireme::model {

/// A tensor that backward makes again, to the bit, from what others keep anyhow: once for all that ask for
/// it, and gone after the last of them.
class Remade : public torch::CustomClassHolder {
 public:
  explicit Remade(std::function<at::Tensor()> make) : make_(std::move(make)) {}

  /// One more will ask.
  void expect() { ++awaited_; }
  at::Tensor take();

 private:
  std::function<at::Tensor()> make_;
  at::Tensor made_;
  int awaited_ = 0;
};

using RemadePtr = c10::intrusive_ptr<Remade>;

/// What is multiplied, and how to have it again; without `again` it is kept.
struct Remakable {
  at::Tensor value;
  RemadePtr again;
};

}  // namespace trireme::model
