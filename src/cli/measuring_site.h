#pragma once
#include <memory>
#include <vector>

#include <ATen/ATen.h>

#include "cli/ranks.h"
#include "cli/stopwatch.h"
#include "model/spec.h"
#include "sharding/array_lane.h"
#include "sharding/placement.h"
#include "sharding/predict/machine.h"

namespace trireme::cli {

/// Where the figures of a machine are measured: on all ranks, on what each of them computes on.
class MeasuringSite {
 public:
  explicit MeasuringSite(const Worlds& worlds);

  const Worlds& worlds() const { return worlds_; }
  const comm::Group& all() const { return all_; }
  /// Over the host's memory.
  comm::Communicator& everyone() const { return *everyone_; }
  /// Of communicators that move what an engine's lanes do.
  comm::CommunicatorOptions as_lanes_have() const;
  /// Null: the host.
  Device* device() const { return lane_.device(); }
  sharding::ArrayLane& lane() { return lane_; }
  const Stopwatch& watch() const { return watch_; }

  /// Numbers of a normal distribution where tensors are computed.
  at::Tensor random(at::IntArrayRef shape, at::ScalarType type) const;

 private:
  Worlds worlds_;
  comm::Group all_;
  std::unique_ptr<comm::Communicator> everyone_;
  sharding::ArrayLane lane_;
  Stopwatch watch_;
};

/// An array of the lane's, each element the same.
template <typename T>
comm::Buffer filled_array(sharding::ArrayLane& lane, std::size_t count, T value) {
  comm::Buffer buffer = sharding::zeroed_array(lane, count * sizeof(T));
  const std::vector<T> values(count, value);
  lane.write(buffer.data(), values.data(), buffer.bytes());
  return buffer;
}

/// Rates from a short model of the job's own blocks: their products, their attention, and what else they
/// take.
void measure_computation(sharding::Machine& machine, const jobs::JobSpec& job, const model::ModelSpec& spec,
                         MeasuringSite& site, sharding::Codec codec);
/// What a step takes beside its operations: threads that come and go, lanes that hand over, caches that
/// others have used. What is left of a whole step when all that is counted has been taken off.
void measure_steps(sharding::Machine& machine, const jobs::JobSpec& job, const model::ModelSpec& spec,
                   MeasuringSite& site, sharding::Codec codec);
/// Updates and norms where the state of a device is and, by the threads that share an engine's, of state that
/// the host keeps; with state that no cache holds.
void measure_updates(sharding::Machine& machine, const jobs::JobSpec& job, MeasuringSite& site);
/// What wires in 8 and 4 bits make of numbers, and what a two-hop reduction takes that moves next to nothing.
void measure_wires(sharding::Machine& machine, MeasuringSite& site);
/// Delay and rate of each link from all-gathers and reduce-scatters of two ranks and more, and how those and
/// computation slow each other.
void measure_links(sharding::Machine& machine, MeasuringSite& site, at::ScalarType compute);

}  // namespace trireme::cli
