#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "comm/codec/order.h"
#include "comm/communicator.h"
#include "core/device.h"
#include "core/dtype.h"

namespace trireme::sharding {

/// What a lane does to a rank's arrays beside computing units: to the host's at once, to a device's in the
/// order of a stream of its own, so that it may return before it is done. For one thread at a time but for
/// `read` and `write`.
class ArrayLane {
 public:
  /// `device`: whose memory the arrays are in; null: they are in the host's. `watch`: called now and then
  /// while the host waits for the stream; throws where waiting is in vain.
  explicit ArrayLane(Device* device = nullptr, std::function<void()> watch = {});
  ArrayLane(const ArrayLane&) = delete;
  ArrayLane& operator=(const ArrayLane&) = delete;

  bool on_device() const { return stream_ != nullptr; }
  /// The calling thread's tensor operations are in this lane's order from now on.
  void enter();
  void wait(const DeviceEvent& event) { stream_->wait(event); }
  void record(DeviceEvent& event) { stream_->record(event); }
  /// Returns when all of it is done.
  void finish();

  void clear(void* data, std::size_t bytes);
  /// Between any two places.
  void copy(void* into, const void* from, std::size_t bytes);
  void add(float* into, const float* from, std::int64_t count);
  /// Floats as parameters are stored, and back. Both places are the device's.
  void store(const float* from, void* into, DType dtype, std::int64_t count);
  void load(const void* from, DType dtype, float* into, std::int64_t count);
  void make_splittable(float* values, std::int64_t count);
  using AddRun = std::function<void(const float*, std::int64_t)>;
  /// Waits for the sum of some runs.
  double sum_of_squares(const std::function<void(const AddRun&)>& runs);
  /// Waits once for so many sums, each of its own runs.
  std::vector<double> sums_of_squares(std::size_t sums,
                                      const std::function<void(std::size_t sum, const AddRun&)>& runs);
  /// Makes room for so many, which takes memory.
  void reserve_sums(std::size_t sums);
  void call(comm::Communicator& communicator, const comm::Call& call);
  /// Of this lane, for what codes and calls by itself.
  comm::Order& order() { return *order_; }

  /// Copies to and from memory that the caller may touch when they return. Threads take turns.
  void read(void* into, const void* from, std::size_t bytes);
  void write(void* into, const void* from, std::size_t bytes) { read(into, from, bytes); }

  Device* device() const { return device_; }

 private:
  class StreamOrder;
  DeviceKernels& kernels();
  /// The call begins behind what is in the stream; `after` is recorded behind the call.
  void begin(comm::Communicator& communicator, const comm::Call& call, DeviceEvent& before,
             DeviceEvent& after);

  Device* device_;
  std::function<void()> watch_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<DeviceEvent> passed_, before_call_, after_call_;
  std::unique_ptr<comm::Order> order_;
  Buffer square_sums_, host_sums_;
  std::mutex reading_;
};

/// Fresh memory of zeros for arrays of the lane.
comm::Buffer zeroed_array(ArrayLane& lane, std::size_t bytes);

}  // namespace trireme::sharding
