#pragma once
#include "core/descriptor.h"

namespace trireme::comm {

/// Another process of this node, held so that its number cannot come to mean a different one.
class Process {
 public:
  Process() = default;
  explicit Process(int id);

  /// Becomes readable for poll() when the process ends; negative where the kernel has no such thing.
  int descriptor() const { return handle_.get(); }
  bool gone() const;
  /// Stopped by a signal or a debugger.
  bool stopped() const;
  void kill() const;

 private:
  char state() const;
  int id_ = 0;
  unsigned long long started_ = 0;
  Descriptor handle_;
};

}  // namespace trireme::comm
