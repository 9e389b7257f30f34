#include "sharding/input_store.h"

#include <ATen/ATen.h>

namespace trireme::sharding {

void InputStore::open(int places) {
  if (static_cast<std::size_t>(places) > places_.size()) places_.resize(static_cast<std::size_t>(places));
}

void InputStore::take(Kept& kept, at::Tensor& tensor, ArrayLane& lane) {
  kept.defined = tensor.defined();
  if (!kept.defined) return;
  // Strides say how the bytes of a tensor without gaps lie; others lose their gaps.
  if (!tensor.is_non_overlapping_and_dense()) tensor = tensor.contiguous();
  kept.sizes = tensor.sizes().vec(), kept.strides = tensor.strides().vec();
  kept.options = tensor.options();
  const std::size_t bytes = tensor.nbytes();
  if (bytes > kept.memory.bytes()) {
    kept.memory.reset();
    kept.memory = pool_.allocate(bytes);
  }
  lane.read(kept.memory.data(), tensor.data_ptr(), bytes);
  tensor.reset();
}

at::Tensor InputStore::made(const Kept& kept, ArrayLane& lane) {
  if (!kept.defined) return {};
  at::Tensor tensor = at::empty_strided(kept.sizes, kept.strides, kept.options);
  lane.write(tensor.data_ptr(), kept.memory.data(), tensor.nbytes());
  return tensor;
}

void InputStore::park(int place, Activation& input, ArrayLane& lane) {
  auto& kept = places_[static_cast<std::size_t>(place)];
  kept.resize(1 + input.more.size());
  take(kept[0], input.hidden, lane);
  for (std::size_t i = 0; i < input.more.size(); ++i) take(kept[i + 1], input.more[i], lane);
}

void InputStore::recall(int place, Activation& input, ArrayLane& lane) {
  const auto& kept = places_[static_cast<std::size_t>(place)];
  input.hidden = made(kept[0], lane);
  for (std::size_t i = 0; i < input.more.size(); ++i) input.more[i] = made(kept[i + 1], lane);
}

std::size_t InputStore::bytes() const {
  std::size_t total = 0;
  for (const auto& place : places_)
    for (const Kept& kept : place) total += kept.memory.bytes();
  return total;
}

}  // namespace trireme::sharding
