#include "sharding/group_state.h"

#include "sharding/arrays.h"

namespace trireme::sharding {
namespace {

std::size_t bytes_of(std::int64_t elements, DType dtype) {
  return static_cast<std::size_t>(elements) * size_of(dtype);
}

}  // namespace

GroupState::GroupState(const Blueprint& blueprint, int group, int position, const Optimizer& optimizer,
                       Tiers& tiers, const Allocate& allocate, const Allocate& on_device,
                       const LentMemory& lent, ArrayLane& lane)
    : facts_(&blueprint.group(group)),
      layout_(&blueprint.layouts[static_cast<std::size_t>(group)]),
      stored_(blueprint.stored[static_cast<std::size_t>(group)]),
      splits_master_(blueprint.splits_master[static_cast<std::size_t>(group)] != 0),
      optimizer_replica_(position / facts_->optimizer),
      parameter_replica_(position / facts_->parameters),
      secondary_slice_(facts_->secondary > 0 ? position % facts_->secondary : 0) {
  const auto zeroed = [&](std::int64_t elements, DType dtype) {
    comm::Buffer buffer = allocate(bytes_of(elements, dtype));
    lane.clear(buffer.data(), buffer.bytes());
    bytes_ += buffer.bytes();
    return buffer;
  };
  const Partition& partition = blueprint.partitions[static_cast<std::size_t>(group)];
  const int parameters = facts_->parameters, optimizers = facts_->optimizer;
  parameter_pieces_ = layout_->pieces(partition.slice(position, parameters), parameters);
  kept_home_ = tiers.parameters(group);
  if (!facts_->on_drive()) kept_home_ = zeroed(parameter_elements(), stored_);
  home_ = facts_->on_drive() ? lent.home : kept_home_.data();
  if (facts_->secondary > 1) secondary_ = zeroed(secondary_elements(), stored_);
  if (!facts_->trainable) return;

  optimizer_pieces_ = layout_->pieces(partition.slice(position, optimizers), optimizers);
  const bool narrower = optimizers > facts_->gradients;
  if (!lent.gradient)
    gradients_ = zeroed(gradient_elements() + (narrower ? optimizer_elements() : 0), DType::f32);
  if (facts_->gradient_tier == Tier::host) host_bytes_ = gradients_.bytes(), bytes_ -= host_bytes_;
  on_host_ = tiers.gradient(group);
  gradient_ = static_cast<float*>(lent.gradient ? lent.gradient : gradients_.data());
  reduced_ = gradient_ + (narrower ? gradient_elements() : 0);
  // What a refresh gathers must be in memory; the master is that only where it is fp32 and not on NVMe.
  const bool plain = stored_ == DType::f32;
  if ((!plain || facts_->update_parts > 0) && optimizers != parameters && !facts_->update_writes_home())
    staging_ = zeroed(optimizer_elements(), stored_);
  if (optimizers < parameters)
    home_in_updated_ =
        partition.slice(position, parameters) % (parameters / optimizers) * parameter_elements();
  const StateArrays arrays = state_arrays(blueprint, group, optimizer);
  for (std::size_t kind = 0; kind < arrays.kinds.size(); ++kind) {
    const bool is_master = arrays.master && kind == 0;
    comm::Buffer buffer = tiers.state(group, kind);
    if (!buffer.data()) {
      buffer = is_master ? zeroed(arrays.elements, arrays.kinds[kind].dtype) : on_device(arrays.bytes(kind));
      if (!is_master) bytes_ += buffer.bytes();
    }
    (is_master ? master_ : states_.emplace_back()) = std::move(buffer);
  }
}

MasterValues GroupState::masters() const {
  if (splits_master_) return {nullptr, static_cast<BFloat16*>(update_copy()), master_.as<std::uint16_t>()};
  return {master_.data() ? master_.as<float>() : kept_home_.as<float>(), nullptr, nullptr};
}

void* GroupState::update_copy() const {
  if (staging_.data()) return staging_.data();
  return stored_ == DType::f32 || facts_->on_drive() ? nullptr : home_;
}

void GroupState::bring_home(ArrayLane& lane) {
  if (facts_->optimizer >= facts_->parameters || facts_->on_drive()) return;
  const auto* from = static_cast<const std::byte*>(updated()) + bytes_of(home_in_updated_, stored_);
  lane.copy(home_, from, kept_home_.bytes());
}

void GroupState::publish(ArrayLane& lane) {
  const MasterValues values = masters();
  if (values.whole) {
    // Masters of the host and what is stored of them on a device meet on the host.
    const bool apart = lane.on_device() && facts_->state_tier != Tier::device && master_.data();
    ArrayLane host;
    ArrayLane& here = apart ? host : lane;
    const auto store = [&](const float* from, void* into, std::int64_t count) {
      if (!apart) return lane.store(from, into, stored_, count);
      Buffer stored = host_buffer(bytes_of(count, stored_));
      host.store(from, stored.data(), stored_, count);
      lane.write(into, stored.data(), stored.bytes());
    };
    if (stored_ == DType::bf16) here.make_splittable(values.whole, optimizer_elements());
    if (void* copy = update_copy()) store(values.whole, copy, optimizer_elements());
    if (facts_->update_writes_home() && master_.data())
      host.store(values.whole + home_in_updated_, home_at_rest(), stored_, parameter_elements());
  }
  bring_home(lane);
}

}  // namespace trireme::sharding
