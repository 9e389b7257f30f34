#include "sharding/group_state.h"

#include <cstring>

#include "sharding/arrays.h"

namespace trireme::sharding {
namespace {

std::size_t bytes_of(std::int64_t elements, DType dtype) {
  return static_cast<std::size_t>(elements) * size_of(dtype);
}

comm::Buffer zeroed(const Allocate& allocate, std::size_t bytes) {
  comm::Buffer buffer = allocate(bytes);
  std::memset(buffer.data(), 0, bytes);
  return buffer;
}

}  // namespace

GroupState::GroupState(const Blueprint& blueprint, int group, int position, const Optimizer& optimizer,
                       const Allocate& allocate)
    : facts_(&blueprint.group(group)),
      layout_(&blueprint.layouts[static_cast<std::size_t>(group)]),
      stored_(blueprint.stored[static_cast<std::size_t>(group)]),
      optimizer_replica_(position / facts_->optimizer),
      parameter_replica_(position / facts_->parameters),
      secondary_slice_(facts_->secondary > 0 ? position % facts_->secondary : 0) {
  const Partition& partition = blueprint.partitions[static_cast<std::size_t>(group)];
  const int parameters = facts_->parameters, optimizers = facts_->optimizer;
  parameter_pieces_ = layout_->pieces(partition.slice(position, parameters), parameters);
  home_ = zeroed(allocate, bytes_of(parameter_elements(), stored_));
  if (facts_->secondary > 1) secondary_ = zeroed(allocate, bytes_of(secondary_elements(), stored_));
  if (!facts_->trainable) return;

  optimizer_pieces_ = layout_->pieces(partition.slice(position, optimizers), optimizers);
  gradient_ = zeroed(allocate, bytes_of(gradient_elements(), DType::f32));
  if (optimizers > facts_->gradients) reduced_ = zeroed(allocate, bytes_of(optimizer_elements(), DType::f32));
  const bool plain = stored_ == DType::f32;
  if (!plain || optimizers != parameters)
    master_ = zeroed(allocate, bytes_of(optimizer_elements(), DType::f32));
  if (!plain && optimizers != parameters)
    staging_ = zeroed(allocate, bytes_of(optimizer_elements(), stored_));
  if (optimizers < parameters)
    home_in_updated_ =
        partition.slice(position, parameters) % (parameters / optimizers) * parameter_elements();
  for (const StateKind& kind : optimizer.states())
    states_.push_back(host_buffer(
        bytes_of((optimizer_elements() + kind.elements_each - 1) / kind.elements_each, kind.dtype)));
}

void* GroupState::update_copy() const {
  if (stored_ == DType::f32) return nullptr;
  return staging_.data() ? staging_.data() : home_.data();
}

void GroupState::bring_home() {
  if (facts_->optimizer >= facts_->parameters) return;
  const auto* from = static_cast<const std::byte*>(updated()) + bytes_of(home_in_updated_, stored_);
  std::memcpy(home_.data(), from, home_.bytes());
}

std::size_t GroupState::bytes() const {
  std::size_t total = 0;
  for (const comm::Buffer* buffer : {&home_, &secondary_, &gradient_, &reduced_, &master_, &staging_})
    total += buffer->bytes();
  for (const comm::Buffer& buffer : states_) total += buffer.bytes();
  return total;
}

}  // namespace trireme::sharding
