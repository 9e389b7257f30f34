#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "cuda/apis.h"

namespace trireme::cuda {

/// Owns one ncclComm_t that never blocks: each call only begins something, which `settle` then asks after
/// until it is done or out of time.
class NcclComm {
 public:
  using Clock = std::chrono::steady_clock;

  /// Collective over the ranks that hold `id`.
  NcclComm(const NcclApi& api, std::string name, const ncclUniqueId& id, int rank, int size,
           std::chrono::milliseconds limit);
  /// Collective over the ranks of `parent`; those with the same colour make one communicator, ordered by key.
  /// `patience` is for the other ranks to come to the end of it.
  NcclComm(NcclComm& parent, std::string name, int color, int key, std::chrono::milliseconds limit,
           std::chrono::milliseconds patience);
  ~NcclComm();
  NcclComm(const NcclComm&) = delete;
  NcclComm& operator=(const NcclComm&) = delete;

  ncclComm_t get() const { return comm_; }
  const std::string& name() const { return name_; }
  bool broken() const { return broken_; }

  /// False while NCCL still works on what was begun. Throws NCCL's own error.
  bool settled(std::string_view function) const;
  /// Polls until settled; after `deadline` gives up and throws an Error with ExitCode::hang.
  void settle(std::string_view function, Clock::time_point deadline);
  /// Frees the communicator and stops whatever it still runs on the device; nothing else can be done with it
  /// afterwards.
  void give_up() noexcept;

 private:
  void close() noexcept;

  const NcclApi& api_;
  std::string name_;
  std::chrono::milliseconds patience_;
  ncclComm_t comm_ = nullptr;
  bool broken_ = false;
};

}  // namespace trireme::cuda
