#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "comm/shm/sharing.h"

namespace trireme::comm {

/// Tells threads that wait for each other that one of them has ended in an error.
class Alarm {
 public:
  void ring() { rung_.store(true); }
  bool rung() const { return rung_.load(); }
  const char* reason() const { return rung() ? "another rank ended in an error" : nullptr; }

 private:
  std::atomic<bool> rung_{false};
};

/// Where a fixed number of threads swap pointers, again and again.
class MeetingPoint {
 public:
  MeetingPoint(int threads, const Alarm& alarm)
      : alarm_(alarm), brought_(static_cast<std::size_t>(threads)) {}
  /// Returns what everyone brought, by seat, when all have come. Throws when the alarm rings first.
  std::vector<std::shared_ptr<void>> exchange(int seat, std::shared_ptr<void> mine);

 private:
  const Alarm& alarm_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<void>> brought_;
  std::vector<std::shared_ptr<void>> last_;
  std::size_t arrived_ = 0;
  std::uint64_t generation_ = 0;
};

/// Plain memory as memory that the threads of one process share.
class ThreadSharing final : public Sharing {
 public:
  ThreadSharing(std::shared_ptr<MeetingPoint> point, int seat, int seats, const Alarm& alarm)
      : point_(std::move(point)), seat_(seat), seats_(seats), alarm_(alarm) {}

  int rank() const override { return seat_; }
  int size() const override { return seats_; }
  SharedSegment create(std::size_t my_bytes) override;
  std::vector<std::uint64_t> exchange(std::uint64_t mine) override;
  const char* abandoned() const override { return alarm_.reason(); }

 private:
  std::shared_ptr<MeetingPoint> point_;
  int seat_, seats_;
  const Alarm& alarm_;
};

}  // namespace trireme::comm
