#include "comm/watchdog/watchdog.h"

#include <thread>
#include <utility>

#include "comm/watchdog/board_observer.h"
#include "comm/watchdog/introductions.h"
#include "comm/watchdog/net.h"
#include "comm/watchdog/run_log.h"
#include "comm/watchdog/sentry.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr std::chrono::seconds time_to_meet{15}, head_start{15};

}  // namespace

struct Watchdog::Rank {
  Board board;
  RankEntry& entry;
};

Watchdog::Watchdog(const World& world, WatchdogOptions options)
    : options_(std::move(options)),
      exceptions_(std::uncaught_exceptions()),
      log_(std::make_unique<RunLog>(options_.run_folder, world.rank(), own_host_name())) {
  if (world.size() == 1) options_.follow_parent = false;
  Listener listener = listen_anywhere();
  Introductions introductions = introduce(world, options_, listener.port);
  const Roster roster = introductions.roster;
  const Board board = introductions.board;
  const int local_rank = introductions.local_rank;
  rank_ = std::make_unique<Rank>(Rank{board, board.rank(local_rank)});
  observer_ = std::make_shared<BoardObserver>(
      board, local_rank, [this](std::string_view line) { log_->write("warning", line); });
  sentry_ =
      std::make_unique<Sentry>(std::move(introductions), world.rank(), std::move(listener), options_, *log_);
  if (!sentry_->settle(time_to_meet)) {
    const Endpoint& hub = roster.endpoint_of_rank.front();
    std::string tried;
    for (const std::string& address : hub.addresses) tried += (tried.empty() ? "" : ", ") + address;
    fail(ExitCode::configuration,
         "rank {} on {} cannot reach the watchdog of rank 0 on {}, TCP port {} (tried {}): let the nodes of "
         "a job open TCP connections to each other",
         world.rank(), own_host_name(), hub.host, hub.port, tried);
  }
}

Watchdog::~Watchdog() {
  if (sentry_->has_verdict()) wait_for_the_end();
  if (std::uncaught_exceptions() > exceptions_) failed(std::runtime_error("an exception ended it early"));
  rank_->entry.state.store(RankEntry::left, std::memory_order_release);
}

std::shared_ptr<CallObserver> Watchdog::observer() const {
  return observer_;
}

CommunicatorOptions Watchdog::watched(CommunicatorOptions options) const {
  options.time_limit = options_.time_limit + head_start;
  options.observer = observer_;
  return options;
}

void Watchdog::phase(std::string_view name, std::chrono::milliseconds limit) noexcept {
  observer_->phase(name, limit);
}

void Watchdog::failed(const std::exception& error) noexcept {
  FailureState failure;
  const auto* ours = dynamic_cast<const Error*>(&error);
  failure.code = static_cast<std::uint64_t>(ours ? ours->code() : ExitCode::internal);
  assign(failure.message, error.what());
  if (rank_->entry.state.load() == RankEntry::failed) return;
  rank_->entry.failure.store(failure);
  rank_->entry.state.store(RankEntry::failed, std::memory_order_release);
  sentry_->wake();
  wait_for_the_end();
}

void Watchdog::wait_for_the_end() const noexcept {
  constexpr std::chrono::seconds patience{3};
  std::this_thread::sleep_for(options_.grace + patience);
}

}  // namespace trireme::comm
