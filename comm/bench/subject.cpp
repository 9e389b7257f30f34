#include "comm/bench/subject.h"

#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace trireme::comm::bench {

Buffer ordinary_memory(std::size_t bytes) {
  constexpr std::size_t page = 4096;
  const std::size_t rounded = (bytes + page) / page * page;
  void* data = std::aligned_alloc(page, rounded);
  if (!data) fail(ExitCode::configuration, "no host memory for a buffer of {} bytes; lower --end", bytes);
  std::memset(data, 0, rounded);
  return Buffer(data, bytes, [data] { std::free(data); });
}

Buffer CommunicatorSubject::allocate(std::size_t bytes) {
  return plain_memory_ ? ordinary_memory(bytes) : communicator_->allocate(bytes);
}

void CommunicatorSubject::prepare(const Workload& workload, const Placed& placed) {
  calls_ = calls_of(workload, communicator_->rank(), placed);
}

void CommunicatorSubject::run() {
  for (const Call& call : calls_) communicator_->run(call);
}

}  // namespace trireme::comm::bench
