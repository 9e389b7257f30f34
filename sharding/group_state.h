#pragma once
#include <functional>
#include <vector>

#include "comm/buffer.h"
#include "sharding/array_lane.h"
#include "sharding/blueprint.h"
#include "sharding/master_values.h"
#include "sharding/tiers.h"

namespace trireme::sharding {

using Allocate = std::function<comm::Buffer(std::size_t bytes)>;

/// Memory that other groups use too; null: a group has its own, or needs none.
struct LentMemory {
  void* gradient = nullptr;
  void* home = nullptr;
};

/// What one rank keeps of one group from step to step: its slices of the parameters, the gradient and the
/// optimizer's state.
class GroupState {
 public:
  /// `position`: this rank among the ranks. `allocate` makes what collectives touch, `on_device` the
  /// optimizer's state, `tiers` what is not on the device, `lane` clears it.
  GroupState(const Blueprint& blueprint, int group, int position, const Optimizer& optimizer, Tiers& tiers,
             const Allocate& allocate, const Allocate& on_device, const LentMemory& lent, ArrayLane& lane);

  DType stored() const { return stored_; }
  std::int64_t parameter_elements() const { return layout_->slice_elements(facts_->parameters); }
  std::int64_t gradient_elements() const { return layout_->slice_elements(facts_->gradients); }
  std::int64_t optimizer_elements() const { return layout_->slice_elements(facts_->optimizer); }
  std::size_t home_bytes() const { return kept_home_.bytes(); }
  std::int64_t secondary_elements() const { return layout_->slice_elements(facts_->secondary); }

  /// The slice of the parameters' span as it is stored and gathered. Where it lies on NVMe, it is there only
  /// while a step has it loaded.
  void* home() const { return home_; }
  /// The same outside of steps.
  void* home_at_rest() const { return kept_home_.data(); }
  void* secondary() const { return secondary_.data(); }
  float* gradient() const { return gradient_; }
  /// The complete gradient of the optimizer's slice; part of `gradient` where the spans are equal.
  float* reduced() const { return reduced_; }
  /// Where norm and update find that: there, or on the host where it has gone.
  float* applied() const { return on_host_.data() ? on_host_.as<float>() : reduced_; }
  /// Memory for `gradient` on a host whose memory is not the device's; null where it does not go there.
  float* lowered() const { return on_host_.as<float>(); }
  /// Outside of steps, and in them where neither state nor parameters lie on NVMe.
  MasterValues masters() const;
  std::byte* state(std::size_t kind) const { return states_[kind].as<std::byte>(); }
  std::size_t state_count() const { return states_.size(); }

  /// Where an update writes the values as they are stored, and finds the nearest to masters that are split;
  /// null when the master itself is what is stored, or when they leave with the update's parts.
  void* update_copy() const;
  /// The optimizer's slice as it is stored: what the refresh gathers.
  const void* updated() const {
    return staging_.data() ? staging_.data() : master_.data() ? master_.data() : home_;
  }
  /// Where the optimizer's slice is the wider one, takes this rank's part of it home.
  void bring_home(ArrayLane& lane);
  /// Outside of steps: as an update leaves it, from masters that were changed.
  void publish(ArrayLane& lane);

  const std::vector<Piece>& optimizer_pieces() const { return optimizer_pieces_; }
  const std::vector<Piece>& parameter_pieces() const { return parameter_pieces_; }
  /// 0 for the first of the ranks that hold the same slice.
  int optimizer_replica() const { return optimizer_replica_; }
  int parameter_replica() const { return parameter_replica_; }
  int secondary_slice() const { return secondary_slice_; }
  /// On the device.
  std::size_t bytes() const { return bytes_; }
  /// Of gradients whose tier is the host, where its memory is the device's.
  std::size_t host_bytes() const { return host_bytes_; }

 private:
  const GroupFacts* facts_;
  const Layout* layout_;
  DType stored_;
  bool splits_master_;
  std::int64_t home_in_updated_ = 0;
  void* home_ = nullptr;
  int optimizer_replica_, parameter_replica_, secondary_slice_;
  std::vector<Piece> optimizer_pieces_, parameter_pieces_;
  comm::Buffer kept_home_, secondary_, gradients_, on_host_, master_, staging_;
  float* gradient_ = nullptr;
  float* reduced_ = nullptr;
  std::vector<comm::Buffer> states_;
  std::size_t bytes_ = 0, host_bytes_ = 0;
};

}  // namespace trireme::sharding
