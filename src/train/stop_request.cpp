#include "train/stop_request.h"

#include <csignal>
#include <cstdint>

namespace trireme::train {
namespace {

// A signal handler can reach nothing else.
volatile std::sig_atomic_t signalled = 0;

void remember(int) {
  signalled = 1;
}

}  // namespace

StopRequest::StopRequest()
    : usr1_before_(std::signal(SIGUSR1, remember)), term_before_(std::signal(SIGTERM, remember)) {
  signalled = 0;
}

StopRequest::~StopRequest() {
  std::signal(SIGUSR1, usr1_before_);
  std::signal(SIGTERM, term_before_);
}

bool StopRequest::agreed(comm::Communicator& ranks) const {
  std::int32_t asked = signalled;
  ranks.all_reduce(&asked, &asked, 1, DType::i32, comm::Reduction::max);
  return asked != 0;
}

}  // namespace trireme::train
