#pragma once
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "comm/communicator.h"
#include "comm/watchdog/options.h"

namespace trireme::comm {

class BoardObserver;
class RunLog;
class Sentry;

/// Ends the run, with the culprit named, when a rank dies, stops, hangs, fails, or calls what the others do
/// not. Made by every rank together, after MPI and before the communicators that it watches; destroyed after
/// them.
class Watchdog {
 public:
  explicit Watchdog(const World& world, WatchdogOptions options = WatchdogOptions::from_environment());
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  const WatchdogOptions& options() const { return options_; }
  /// For CommunicatorOptions; one for all communicators.
  std::shared_ptr<CallObserver> observer() const;
  /// Of a communicator that is watched, with a time limit of its own that leaves the watchdog the
  /// first word.
  CommunicatorOptions watched(CommunicatorOptions options) const;

  /// What a compute thread does from now on ("forward layer 3"); tens of nanoseconds. A phase with a limit of
  /// its own may take so long while others wait for the rank, and not longer.
  void phase(std::string_view name, std::chrono::milliseconds limit = std::chrono::milliseconds(0)) noexcept;

  /// Tells all ranks that this one ends with an error, and ends with them. Returns only when the others
  /// cannot be told.
  void failed(const std::exception& error) noexcept;
  /// Runs `body`, and tells the others of the exception that it ends with.
  template <typename Body>
  decltype(auto) guard(Body&& body) {
    try {
      return std::forward<Body>(body)();
    } catch (const std::exception& error) {
      failed(error);
      throw;
    }
  }

 private:
  void wait_for_the_end() const noexcept;

  WatchdogOptions options_;
  int exceptions_;
  std::unique_ptr<RunLog> log_;
  std::shared_ptr<BoardObserver> observer_;
  struct Rank;
  std::unique_ptr<Rank> rank_;
  std::unique_ptr<Sentry> sentry_;
};

}  // namespace trireme::comm
