#pragma once
#include <array>

#include "comm/codec/coder.h"
#include "comm/communicator.h"

namespace trireme::comm {

/// In whose order coding and calls follow each other: a thread's, which waits for each of them, or a
/// stream's, which the thread only fills.
class Order {
 public:
  virtual ~Order() = default;
  virtual const codec::Coder& coder() const = 0;
  virtual void call(Communicator& communicator, const Call& call) = 0;
  /// What comes next goes on beside the call, until `await`. There are two turns.
  virtual void begin(Communicator& communicator, const Call& call, int turn) = 0;
  virtual void await(int turn) = 0;
};

/// A thread's. What was coded last is awaited by who looks at it (Coder::finish).
class ThreadOrder final : public Order {
 public:
  /// `one_by_one`: a call that was begun is done before anything else is.
  explicit ThreadOrder(const codec::Coder& coder, bool one_by_one = false)
      : coder_(coder), one_by_one_(one_by_one) {}
  const codec::Coder& coder() const override { return coder_; }
  void call(Communicator& communicator, const Call& call) override { communicator.run(call); }
  void begin(Communicator& communicator, const Call& call, int turn) override;
  void await(int turn) override { begun_[static_cast<std::size_t>(turn)].wait(); }

 private:
  const codec::Coder& coder_;
  bool one_by_one_;
  std::array<Event, 2> begun_;
};

}  // namespace trireme::comm
