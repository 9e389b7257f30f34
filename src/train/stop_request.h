#pragma once
#include "comm/communicator.h"

namespace trireme::train {

/// Turns USR1 and TERM, as a batch system sends them before it ends a job, into a question that all ranks
/// answer alike.
class StopRequest {
 public:
  StopRequest();
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;

  /// True on every rank once any rank got a signal.
  bool agreed(comm::Communicator& ranks) const;

 private:
  void (*usr1_before_)(int);
  void (*term_before_)(int);
};

}  // namespace trireme::train
