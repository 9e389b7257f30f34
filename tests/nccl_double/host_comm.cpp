#include "tests/nccl_double/host_comm.h"

#include <utility>

#include <fmt/format.h>

namespace trireme::tests {

std::string describe(const HostOp& op) {
  constexpr const char* names[] = {"AllGather", "ReduceScatter", "AllReduce", "Broadcast",
                                   "Reduce",    "Send",          "Recv"};
  return fmt::format("{} of {} (type {}, operation {}, peer {})", names[static_cast<int>(op.kind)], op.count,
                     static_cast<int>(op.type), static_cast<int>(op.reduction), op.peer);
}

HostComm::HostComm(int rank, std::vector<int> world_ranks, int context)
    : rank_(rank), members_(std::move(world_ranks)), context_(context) {}

HostComm::~HostComm() {
  join();
}

void HostComm::join() {
  if (worker_.joinable()) worker_.join();
}

void HostComm::become(int rank, std::vector<int> world_ranks, int context) {
  rank_ = rank;
  members_ = std::move(world_ranks);
  context_ = context;
}

void HostComm::begin(std::function<ncclResult_t()> work) {
  if (worker_.joinable()) worker_.join();
  working_ = unasked_ = true;
  worker_ = std::thread([this, work = std::move(work)] {
    const ncclResult_t result = work();
    if (result != ncclSuccess) error_ = result;
    working_ = false;
  });
}

void HostComm::hold(std::vector<HostOp> ops) {
  std::lock_guard lock(mutex_);
  held_ = std::move(ops);
  asked_ = 0;
}

bool HostComm::holds_for(cudaStream_t asked) const {
  std::lock_guard lock(mutex_);
  return !held_.empty() && held_.front().stream == asked;
}

bool HostComm::in_progress() {
  std::lock_guard lock(mutex_);
  return unasked_ || !held_.empty();
}

ncclResult_t HostComm::state() {
  if (error_ != ncclSuccess) return error_;
  if (working_) return ncclInProgress;
  unasked_ = false;
  std::lock_guard lock(mutex_);
  if (held_.empty()) return ncclSuccess;
  if (++asked_ < 3) return ncclInProgress;
  launch();
  return ncclSuccess;
}

void HostComm::launch() {
  const cudaStream_t where = held_.front().stream;
  host_cuda_post(where, [self = shared_from_this(), ops = std::exchange(held_, {})] {
    if (self->error_ != ncclSuccess || self->stop_) return;
    const ncclResult_t result = carry_out(*self, ops);
    if (result != ncclSuccess) self->error_ = result;
  });
}

}  // namespace trireme::tests
