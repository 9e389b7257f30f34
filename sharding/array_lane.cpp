#include "sharding/array_lane.h"

#include <array>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>

#include "comm/device_world.h"
#include "core/device_kernels.h"
#include "offload/optimizer/halves.h"
#include "sharding/arrays.h"

namespace trireme::sharding {
namespace {

constexpr std::size_t sums_bytes = DeviceKernels::square_sums * sizeof(double);
/// A wait begins by asking again and again, and asks less often when it takes longer.
constexpr int eager_polls = 256;
constexpr std::chrono::microseconds between_polls{20};

}  // namespace

/// Codecs in the lane's stream, between its other work.
class ArrayLane::StreamOrder final : public comm::Order {
 public:
  explicit StreamOrder(ArrayLane& lane) : lane_(lane), coder_(lane.device_->make_coder(*lane.stream_)) {
    for (Turn& turn : turns_)
      turn.before = lane.device_->make_event(), turn.after = lane.device_->make_event();
  }
  const comm::codec::Coder& coder() const override { return *coder_; }
  void call(comm::Communicator& communicator, const comm::Call& call) override {
    lane_.call(communicator, call);
  }
  void begin(comm::Communicator& communicator, const comm::Call& call, int turn) override {
    const Turn& mine = turns_[static_cast<std::size_t>(turn)];
    lane_.begin(communicator, call, *mine.before, *mine.after);
  }
  void await(int turn) override { lane_.wait(*turns_[static_cast<std::size_t>(turn)].after); }

 private:
  struct Turn {
    std::unique_ptr<DeviceEvent> before, after;
  };
  ArrayLane& lane_;
  std::unique_ptr<comm::codec::Coder> coder_;
  std::array<Turn, 2> turns_;
};

ArrayLane::ArrayLane(Device* device, std::function<void()> watch)
    : device_(device), watch_(std::move(watch)) {
  if (!device) {
    order_ = std::make_unique<comm::ThreadOrder>(comm::codec::host_coder());
    return;
  }
  stream_ = device->make_stream();
  passed_ = device->make_event(), before_call_ = device->make_event(), after_call_ = device->make_event();
  order_ = std::make_unique<StreamOrder>(*this);
}

void ArrayLane::enter() {
  if (stream_) stream_->use_for_tensors();
}

DeviceKernels& ArrayLane::kernels() {
  enter();
  return device_->kernels();
}

void ArrayLane::finish() {
  if (!stream_) return;
  device_->count_stream_wait();
  stream_->record(*passed_);
  for (int poll = 0; !passed_->ready(); ++poll) {
    if (poll < eager_polls) {
      std::this_thread::yield();
      continue;
    }
    if (watch_ && poll % eager_polls == 0) watch_();
    std::this_thread::sleep_for(between_polls);
  }
}

void ArrayLane::clear(void* data, std::size_t bytes) {
  if (bytes == 0) return;
  stream_ ? stream_->fill(data, 0, bytes) : static_cast<void>(std::memset(data, 0, bytes));
}

void ArrayLane::copy(void* into, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  stream_ ? stream_->copy(into, from, bytes) : static_cast<void>(std::memcpy(into, from, bytes));
}

void ArrayLane::add(float* into, const float* from, std::int64_t count) {
  stream_ ? kernels().add(into, from, count) : sharding::add(into, from, count);
}

void ArrayLane::store(const float* from, void* into, DType dtype, std::int64_t count) {
  stream_ ? kernels().convert(from, DType::f32, into, dtype, count)
          : sharding::store(from, into, dtype, count);
}

void ArrayLane::load(const void* from, DType dtype, float* into, std::int64_t count) {
  stream_ ? kernels().convert(from, dtype, into, DType::f32, count)
          : sharding::load(from, dtype, into, count);
}

void ArrayLane::make_splittable(float* values, std::int64_t count) {
  stream_ ? kernels().make_splittable(values, count) : offload::make_splittable(values, count);
}

void ArrayLane::reserve_sums(std::size_t sums) {
  if (!stream_ || square_sums_.bytes() >= sums * sums_bytes) return;
  square_sums_ = device_->allocate(sums * sums_bytes);
  host_sums_ = device_->allocate_pinned(sums * sums_bytes);
}

double ArrayLane::sum_of_squares(const std::function<void(const AddRun&)>& runs) {
  return sums_of_squares(1, [&](std::size_t, const AddRun& add) { runs(add); }).front();
}

std::vector<double> ArrayLane::sums_of_squares(
    std::size_t sums, const std::function<void(std::size_t sum, const AddRun&)>& runs) {
  std::vector<double> totals(sums, 0.0);
  if (!stream_) {
    for (std::size_t sum = 0; sum < sums; ++sum)
      runs(sum, [&](const float* values, std::int64_t count) {
        totals[sum] += sharding::sum_of_squares(values, count);
      });
    return totals;
  }
  if (sums == 0) return totals;
  reserve_sums(sums);
  auto* parts = square_sums_.as<double>();
  clear(parts, sums * sums_bytes);
  for (std::size_t sum = 0; sum < sums; ++sum)
    runs(sum, [&](const float* values, std::int64_t count) {
      kernels().add_squares(values, count, parts + sum * DeviceKernels::square_sums);
    });
  copy(host_sums_.data(), parts, sums * sums_bytes);
  finish();
  const auto* arrived = host_sums_.as<double>();
  for (double& total : totals) {
    total = std::accumulate(arrived, arrived + DeviceKernels::square_sums, 0.0);
    arrived += DeviceKernels::square_sums;
  }
  return totals;
}

void ArrayLane::call(comm::Communicator& communicator, const comm::Call& call) {
  if (!stream_) return communicator.run(call);
  begin(communicator, call, *before_call_, *after_call_);
  stream_->wait(*after_call_);
}

void ArrayLane::begin(comm::Communicator& communicator, const comm::Call& call, DeviceEvent& before,
                      DeviceEvent& after) {
  auto* ordered = dynamic_cast<comm::DeviceCommunicator*>(&communicator);
  if (!ordered) {
    finish();
    communicator.run(call);
    return stream_->record(after);
  }
  stream_->record(before);
  const std::array<const DeviceEvent*, 1> begins_after{&before};
  ordered->enqueue(call, begins_after, after);
}

void ArrayLane::read(void* into, const void* from, std::size_t bytes) {
  const std::lock_guard lock(reading_);
  copy(into, from, bytes);
  finish();
}

comm::Buffer zeroed_array(ArrayLane& lane, std::size_t bytes) {
  if (!lane.on_device()) return host_buffer(bytes);
  comm::Buffer buffer = lane.device()->allocate(bytes);
  lane.clear(buffer.data(), buffer.bytes());
  return buffer;
}

}  // namespace trireme::sharding
