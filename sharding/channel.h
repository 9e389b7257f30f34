#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "comm/codec/quantised_all_gather.h"
#include "comm/codec/two_hop_reduce_scatter.h"
#include "comm/communicator.h"
#include "sharding/array_lane.h"
#include "sharding/placement.h"

namespace trireme::sharding {

/// The ranks of one circle, and vectors as they travel among them: as they are, or in the circle's wire.
/// Every rank of the world makes one together. For one thread at a time.
class Channel {
 public:
  Channel(comm::World& world, const comm::Group& group, Wire wire, const comm::CommunicatorOptions& options);

  /// Makes room for vectors of so many elements. Collective.
  void reserve(std::uint64_t elements);
  std::size_t room() const { return narrow_.bytes() + (quantised_ ? quantised_->room() : 0); }

  /// `each`: the elements of a slice; `lane`: in whose order it is done.
  void gather(ArrayLane& lane, const void* slice, void* whole, std::int64_t each, DType dtype);
  void reduce_scatter(ArrayLane& lane, const float* whole, float* slice, std::int64_t each);
  void all_reduce(ArrayLane& lane, float* values, std::int64_t count);
  /// Of the host.
  void all_reduce(std::span<double> values);

  /// Whether numbers near each other lose precision by each other's size.
  bool quantises() const { return quantised_ || two_hop_; }
  comm::Traffic traffic() const;
  /// Throws when what was begun on a device has failed or takes too long.
  void check();

 private:
  comm::Shards even(std::int64_t each) const;

  Wire wire_;
  int ranks_;
  std::uint64_t reserved_ = 0;
  std::unique_ptr<comm::Communicator> communicator_;
  std::unique_ptr<comm::QuantisedAllGather> quantised_;
  std::unique_ptr<comm::TwoHopReduceScatter> two_hop_;
  comm::Buffer narrow_;
};

}  // namespace trireme::sharding
