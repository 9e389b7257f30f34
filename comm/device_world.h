#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "comm/codec/coder.h"
#include "comm/communicator.h"
#include "core/device.h"

namespace trireme::comm {

/// What a device plugin must know of the ranks to make a World of their devices.
struct DeviceWorldOptions {
  int rank = 0;
  /// World rank → node index.
  std::vector<int> node_of_rank;
  /// Of this rank's node, for all its ranks.
  int cores = 1;
  /// Gives every rank the bytes that rank 0 holds; all ranks call it in the same order.
  std::function<void(void* data, std::size_t bytes)> broadcast_from_first;
  /// For making the world and its communicators.
  std::chrono::milliseconds time_limit{std::chrono::minutes(5)};
};

/// A communicator of device memory, with a second way in for work that is ordered by streams instead of by
/// the host. What a device plugin's World makes.
class DeviceCommunicator : public Communicator {
 public:
  /// Puts the call on the communicator's own stream: it begins when the device has passed `after`, and `done`
  /// is recorded behind it. Keeps its place among the calls that are posted and run. `done` must outlive the
  /// call.
  virtual void enqueue(const Call& call, std::span<const DeviceEvent* const> after, DeviceEvent& done) = 0;
  /// Whoever waits for enqueued calls asks now and then: throws when one of them has failed or has run for
  /// longer than the time limit.
  virtual void check() = 0;
  /// Makes room for all_to_alls that bring or take so many bytes, so that none of them has to take memory on
  /// its way.
  virtual void reserve(std::size_t /*bytes*/) {}
  /// Quantises on the device, in the order of the communicator's calls.
  virtual const codec::Coder& coder() const = 0;

 protected:
  using Communicator::Communicator;
};

}  // namespace trireme::comm
