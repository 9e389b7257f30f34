#include "sharding/channel.h"

#include "comm/device_world.h"
#include "sharding/arrays.h"
#include "sharding/wires.h"

namespace trireme::sharding {
namespace {

using comm::Call;
constexpr auto sum = comm::Reduction::sum;

bool in_two_hops(Wire wire) {
  return wire == Wire::int8_two_hop || wire == Wire::int4_two_hop;
}

comm::TwoHopOptions hops_of(Wire wire) {
  comm::TwoHopOptions options;
  if (wire == Wire::int8_two_hop) options.inside = options.across = comm::codec::int8_blocks;
  return options;
}

}  // namespace

Channel::Channel(comm::World& world, const comm::Group& group, Wire wire,
                 const comm::CommunicatorOptions& options)
    : wire_(wire), ranks_(static_cast<int>(group.ranks.size())) {
  if (in_two_hops(wire)) {
    two_hop_ = std::make_unique<comm::TwoHopReduceScatter>(world, group, options, hops_of(wire));
  } else {
    communicator_ = world.communicator(group, "auto", options);
  }
}

comm::Shards Channel::even(std::int64_t each) const {
  return comm::Shards::even(static_cast<std::size_t>(each), ranks_);
}

void Channel::reserve(std::uint64_t elements) {
  if (elements <= reserved_) return;
  reserved_ = elements;
  if (wire_ == Wire::int8)
    quantised_ = std::make_unique<comm::QuantisedAllGather>(
        *communicator_, even(static_cast<std::int64_t>(elements) / ranks_));
  if (wire_ == Wire::bf16) narrow_ = communicator_->allocate(room_on(wire_, elements, ranks_));
}

void Channel::gather(ArrayLane& lane, const void* slice, void* whole, std::int64_t each, DType dtype) {
  if (!quantised_) return lane.call(*communicator_, Call::all_gather(slice, whole, even(each), dtype));
  quantised_->run(lane.order(), slice, whole, even(each), dtype);
}

void Channel::reduce_scatter(ArrayLane& lane, const float* whole, float* slice, std::int64_t each) {
  if (two_hop_) return two_hop_->run(lane.order(), whole, DType::f32, slice, DType::f32, even(each), sum);
  if (wire_ != Wire::bf16)
    return lane.call(*communicator_, Call::reduce_scatter(whole, slice, even(each), DType::f32, sum));
  std::byte* narrow = narrow_.as<std::byte>();
  std::byte* mine = offset_by(narrow, communicator_->rank() * each, DType::bf16);
  lane.store(whole, narrow, DType::bf16, each * ranks_);
  lane.call(*communicator_, Call::reduce_scatter(narrow, mine, even(each), DType::bf16, sum));
  lane.load(mine, DType::bf16, slice, each);
}

void Channel::all_reduce(ArrayLane& lane, float* values, std::int64_t count) {
  const auto elements = static_cast<std::size_t>(count);
  if (wire_ != Wire::bf16)
    return lane.call(*communicator_, Call::all_reduce(values, values, elements, DType::f32, sum));
  void* narrow = narrow_.data();
  lane.store(values, narrow, DType::bf16, count);
  lane.call(*communicator_, Call::all_reduce(narrow, narrow, elements, DType::bf16, sum));
  lane.load(narrow, DType::bf16, values, count);
}

void Channel::all_reduce(std::span<double> values) {
  communicator_->all_reduce(values.data(), values.data(), values.size(), DType::f64, sum);
}

comm::Traffic Channel::traffic() const {
  return two_hop_ ? two_hop_->traffic() : communicator_->traffic();
}

void Channel::check() {
  if (two_hop_) return two_hop_->check();
  if (auto* ordered = dynamic_cast<comm::DeviceCommunicator*>(communicator_.get())) ordered->check();
}

}  // namespace trireme::sharding
