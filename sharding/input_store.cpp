#include "sharding/input_store.h"

#include <cstring>

#include <ATen/ATen.h>

namespace trireme::sharding {
namespace {

/// Returns when the bytes are there: what waits for the op of this copy is on other lanes.
void copy(Stream* stream, void* to, const void* from, std::size_t bytes) {
  if (!stream) {
    std::memcpy(to, from, bytes);
    return;
  }
  stream->copy(to, from, bytes);
  stream->finish();
}

}  // namespace

InputStore::InputStore(offload::Pool& pool, Device* device) : pool_(pool) {
  if (device) out_ = device->make_stream(), in_ = device->make_stream();
}

void InputStore::open(int places) {
  if (static_cast<std::size_t>(places) > places_.size()) places_.resize(static_cast<std::size_t>(places));
}

void InputStore::take(Kept& kept, at::Tensor& tensor) {
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
  copy(out_.get(), kept.memory.data(), tensor.data_ptr(), bytes);
  tensor.reset();
}

at::Tensor InputStore::made(const Kept& kept) {
  if (!kept.defined) return {};
  at::Tensor tensor = at::empty_strided(kept.sizes, kept.strides, kept.options);
  copy(in_.get(), tensor.data_ptr(), kept.memory.data(), tensor.nbytes());
  return tensor;
}

void InputStore::park(int place, Activation& input) {
  auto& kept = places_[static_cast<std::size_t>(place)];
  kept.resize(1 + input.more.size());
  take(kept[0], input.hidden);
  for (std::size_t i = 0; i < input.more.size(); ++i) take(kept[i + 1], input.more[i]);
}

void InputStore::recall(int place, Activation& input) {
  const auto& kept = places_[static_cast<std::size_t>(place)];
  input.hidden = made(kept[0]);
  for (std::size_t i = 0; i < input.more.size(); ++i) input.more[i] = made(kept[i + 1]);
}

std::size_t InputStore::bytes() const {
  std::size_t total = 0;
  for (const auto& place : places_)
    for (const Kept& kept : place) total += kept.memory.bytes();
  return total;
}

}  // namespace trireme::sharding
