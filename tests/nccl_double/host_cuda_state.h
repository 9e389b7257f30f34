#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "tests/nccl_double/host_cuda.h"

namespace trireme::tests {

class HostStream {
 public:
  HostStream();
  ~HostStream();
  void post(std::function<void()> work);
  void finish();

 private:
  void serve();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

/// Counts recordings put into streams and recordings that streams have passed.
struct HostEvent {
  struct Progress {
    std::mutex mutex;
    std::condition_variable changed;
    unsigned long put = 0, passed = 0;
    double passed_at_ms = 0;
  };
  /// Shared with the streams' queues: an event may be destroyed before a stream comes to it.
  std::shared_ptr<Progress> progress = std::make_shared<Progress>();
};

struct HostCudaState {
  struct Block {
    std::size_t bytes = 0;
    MemoryKind kind = MemoryKind::device;
  };
  std::mutex mutex;
  std::map<const std::byte*, Block> blocks;
  std::set<HostStream*> streams;
  std::set<HostEvent*> events;
  std::function<void(cudaStream_t)> watch;
  std::vector<std::string> misuses;
  std::atomic<bool> broken = false;
  /// Waits for the host that streams have been given and not passed.
  std::atomic<int> waits_for_host = 0;
  int devices = 1;
  cudaError_t devices_error = cudaSuccess;
  int driver_version = 13000;
};

HostCudaState& host_cuda_state();

}  // namespace trireme::tests
