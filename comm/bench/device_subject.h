#pragma once
#include <memory>
#include <vector>

#include "comm/bench/limit.h"
#include "comm/bench/subject.h"
#include "core/device.h"

namespace trireme::comm {
class DeviceCommunicator;
}

namespace trireme::comm::bench {

/// A communicator of device memory. Calls follow each other on its stream; only `finish` waits for them.
class DeviceCommunicatorSubject final : public Subject {
 public:
  DeviceCommunicatorSubject(std::unique_ptr<Communicator> communicator, Device& device, bool plain_memory);
  ~DeviceCommunicatorSubject() override;

  std::string name() const override { return std::string(communicator_->backend()); }
  Buffer allocate(std::size_t bytes) override;
  void prepare(const Workload& workload, const Placed& placed) override;
  void run() override;
  void finish() override;

 private:
  std::unique_ptr<Communicator> communicator_;
  DeviceCommunicator& on_streams_;
  Device& device_;
  std::unique_ptr<DeviceEvent> done_;
  bool plain_memory_;
  std::vector<Call> calls_;
};

/// The limit of a device's memory: it copies as many bytes as the collective reads and writes at least.
class DeviceMemorySubject final : public Subject {
 public:
  DeviceMemorySubject(Device& device, GroupShape shape, int rank)
      : device_(device), stream_(device.make_stream()), shape_(shape), rank_(rank) {}

  std::string name() const override { return "device_memory"; }
  Buffer allocate(std::size_t bytes) override { return device_.allocate(bytes); }
  void prepare(const Workload& workload, const Placed& placed) override;
  void run() override;
  void finish() override { stream_->finish(); }

 private:
  Device& device_;
  std::unique_ptr<Stream> stream_;
  GroupShape shape_;
  int rank_;
  Placed placed_;
  std::size_t copied_bytes_ = 0;
};

}  // namespace trireme::comm::bench
