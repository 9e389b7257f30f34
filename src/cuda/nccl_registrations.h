#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/nccl_comm.h"
#include "cuda/nccl_memory.h"

namespace trireme::cuda {

/// The blocks that one communicator has registered. NCCL takes nothing else while a call is not settled, and
/// that may need other ranks: so blocks are registered when the next call begins, and those freed during a
/// call leave when it is over.
class NcclRegistrations final : public Registrar {
 public:
  NcclRegistrations(const NcclApi& api, NcclComm& comm) : api_(api), comm_(comm) {}
  ~NcclRegistrations() override;

  void add(std::shared_ptr<const NcclBlock> block) override;
  void remove(const NcclBlock& block) noexcept override;

  /// Lives from before one of the communicator's calls until NCCL has settled it.
  class DuringCall {
   public:
    explicit DuringCall(NcclRegistrations& all) : all_(all) { all_.begin_call(); }
    ~DuringCall() { all_.end_call(); }
    DuringCall(const DuringCall&) = delete;
    DuringCall& operator=(const DuringCall&) = delete;

   private:
    NcclRegistrations& all_;
  };

  /// Aborts the communicator, and its registrations with it.
  void give_up() noexcept;

 private:
  struct Registered {
    std::shared_ptr<const NcclBlock> block;
    void* handle = nullptr;
  };
  void begin_call();
  void end_call() noexcept;
  void deregister(const Registered& registered) noexcept;

  const NcclApi& api_;
  NcclComm& comm_;
  std::mutex mutex_;
  bool in_call_ = false;
  std::map<const NcclBlock*, std::shared_ptr<const NcclBlock>> waiting_;
  std::map<const NcclBlock*, Registered> registered_;
  std::vector<Registered> leaving_;
};

}  // namespace trireme::cuda
