#include "comm/bench/device_subject.h"

#include <thread>

#include "comm/device_world.h"
#include "core/error.h"

namespace trireme::comm::bench {
namespace {

DeviceCommunicator& streams_of(Communicator& communicator) {
  auto* on_streams = dynamic_cast<DeviceCommunicator*>(&communicator);
  if (!on_streams)
    fail(ExitCode::configuration,
         "backend {} has no calls on streams, so device memory cannot be timed over it",
         communicator.backend());
  return *on_streams;
}

}  // namespace

DeviceCommunicatorSubject::DeviceCommunicatorSubject(std::unique_ptr<Communicator> communicator,
                                                     Device& device, bool plain_memory)
    : communicator_(std::move(communicator)),
      on_streams_(streams_of(*communicator_)),
      device_(device),
      done_(device.make_event()),
      plain_memory_(plain_memory) {}

DeviceCommunicatorSubject::~DeviceCommunicatorSubject() = default;

Buffer DeviceCommunicatorSubject::allocate(std::size_t bytes) {
  return plain_memory_ ? device_.allocate(bytes) : communicator_->allocate(bytes);
}

void DeviceCommunicatorSubject::prepare(const Workload& workload, const Placed& placed) {
  calls_ = calls_of(workload, communicator_->rank(), placed);
}

void DeviceCommunicatorSubject::run() {
  for (const Call& call : calls_) on_streams_.enqueue(call, {}, *done_);
}

void DeviceCommunicatorSubject::finish() {
  while (!done_->ready()) {
    on_streams_.check();
    std::this_thread::yield();
  }
  on_streams_.check();
}

void DeviceMemorySubject::prepare(const Workload& workload, const Placed& placed) {
  const MemoryMix mix = memory_mix(workload, shape_, rank_);
  placed_ = placed;
  copied_bytes_ = mix.block_bytes * static_cast<std::size_t>(mix.reads + mix.writes) / 2;
}

void DeviceMemorySubject::run() {
  if (copied_bytes_ > 0) stream_->copy(placed_.out, placed_.in, copied_bytes_);
}

}  // namespace trireme::comm::bench
