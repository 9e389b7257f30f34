#pragma once
#include <memory>
#include <string>
#include <vector>

#include "comm/bench/collective.h"
#include "comm/communicator.h"

namespace trireme::comm::bench {

/// One thing that carries out workloads and is timed beside others: a communicator, the MPI library by
/// itself, a memory copy.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::string name() const = 0;
  virtual Buffer allocate(std::size_t bytes) = 0;
  /// What `run` will do from now on.
  virtual void prepare(const Workload& workload, const Placed& placed) = 0;
  /// One iteration; may return before it is done.
  virtual void run() = 0;
  /// Returns when all iterations are done.
  virtual void finish() {}
};

/// Page-aligned ordinary memory, written once so that every page is there.
Buffer ordinary_memory(std::size_t bytes);

class CommunicatorSubject final : public Subject {
 public:
  CommunicatorSubject(std::unique_ptr<Communicator> communicator, bool plain_memory)
      : communicator_(std::move(communicator)), plain_memory_(plain_memory) {}

  std::string name() const override { return std::string(communicator_->backend()); }
  Buffer allocate(std::size_t bytes) override;
  void prepare(const Workload& workload, const Placed& placed) override;
  void run() override;

 private:
  std::unique_ptr<Communicator> communicator_;
  bool plain_memory_;
  std::vector<Call> calls_;
};

}  // namespace trireme::comm::bench
