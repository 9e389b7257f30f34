#pragma once
#include <deque>
#include <mutex>
#include <vector>

#include "comm/device_world.h"
#include "cuda/cuda_coder.h"
#include "cuda/nccl_comm.h"
#include "cuda/nccl_memory.h"
#include "cuda/nccl_registrations.h"

namespace trireme::cuda {

/// The NCCL backend. Calls run on a stream of its own; `post` and `run` wait for it on the lane, `enqueue`
/// leaves waiting to streams.
class NcclCommunicator final : public comm::DeviceCommunicator {
 public:
  NcclCommunicator(const Apis& apis, CudaDevice& device, std::shared_ptr<NcclMemory> memory,
                   std::unique_ptr<NcclComm> comm, comm::Group group, int world_rank,
                   std::vector<int> node_of_member, comm::CommunicatorOptions options);
  ~NcclCommunicator() override;

  std::string_view backend() const override { return "nccl"; }
  Buffer allocate(std::size_t bytes) override { return memory_->allocate(bytes); }
  void enqueue(const comm::Call& call, std::span<const DeviceEvent* const> after, DeviceEvent& done) override;
  void check() override;
  const comm::codec::Coder& coder() const override { return coder_; }

 protected:
  void execute(const comm::Call& call) override;

 private:
  using Clock = std::chrono::steady_clock;

  /// A call that the stream carries and nobody waits for on the host.
  struct InFlight {
    comm::Call call;
    std::uint64_t sequence = 0;
    std::unique_ptr<CudaEvent> begun, ended;
    Clock::time_point deadline = Clock::time_point::max();
  };

  /// Puts the call on the stream; when this returns, NCCL has launched it.
  void launch(const comm::Call& call);
  void wait_for_done(const comm::Call& call);
  /// Throws, and gives the group up, when NCCL has found something wrong since the last time.
  void refuse_failure(const comm::Call& call);
  void refuse_host_memory(const comm::Call& call) const;
  void check_in_flight();
  std::unique_ptr<CudaEvent> spare_event();
  [[noreturn]] void fail_given_up(const comm::Call& call) const;

  const Apis& apis_;
  CudaDevice& device_;
  std::shared_ptr<NcclMemory> memory_;
  std::unique_ptr<NcclComm> comm_;
  std::unique_ptr<NcclRegistrations> registrations_;
  std::vector<int> node_of_member_;
  CudaStream stream_;
  CudaCoder coder_;
  CudaEvent done_;
  Buffer scratch_;
  std::mutex mutex_;
  std::deque<InFlight> in_flight_;
  std::vector<std::unique_ptr<CudaEvent>> spare_events_;
};

}  // namespace trireme::cuda
