#pragma once
#include <atomic>
#include <functional>
#include <optional>
#include <thread>

#include "comm/watchdog/awake_clock.h"
#include "comm/watchdog/hall.h"
#include "comm/watchdog/introductions.h"
#include "comm/watchdog/judge.h"
#include "comm/watchdog/node_watch.h"
#include "comm/watchdog/options.h"
#include "comm/watchdog/run_log.h"
#include "comm/watchdog/uplink.h"

namespace trireme::comm {

/// The watchdog's thread. Sleeps until a neighbour's process ends, a message comes or it is time to look;
/// calls no MPI function, since it must work when the others hang in them.
class Sentry {
 public:
  Sentry(Introductions introductions, int rank, Listener listener, WatchdogOptions options, RunLog& log);
  ~Sentry();
  Sentry(const Sentry&) = delete;
  Sentry& operator=(const Sentry&) = delete;

  /// False when the hub cannot be reached in time.
  bool settle(std::chrono::milliseconds limit) const;
  bool has_verdict() const { return !board_.verdict().read().empty(); }
  void wake() const;

 private:
  void serve();
  void sleep() const;
  void look();
  void follow_parent();
  void act_as_hub(Milliseconds now);
  void report_to_hub(Milliseconds now);
  void propose(const Verdict& verdict);
  void obey();
  void write_status_once();
  [[noreturn]] void end_process();

  const Roster roster_;
  const Board board_;
  const int rank_;
  const WatchdogOptions options_;
  RunLog& log_;
  RankEntry& entry_;
  const int parent_;

  AwakeClock clock_;
  NodeWatch node_;
  Uplink uplink_;
  Hall hall_;
  Sightings sightings_;
  bool hub_ = false;
  Milliseconds told_at_{0};
  std::size_t told_events_ = 0;

  std::optional<Verdict> verdict_;
  AwakeClock::Clock::time_point verdict_at_;
  bool passed_on_ = false;

  Descriptor wake_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> settled_{false};
  std::thread thread_;
};

}  // namespace trireme::comm
