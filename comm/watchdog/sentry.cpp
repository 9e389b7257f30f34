#include "comm/watchdog/sentry.h"

#include <utility>

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "comm/watchdog/packing.h"
#include "comm/watchdog/status_file.h"

namespace trireme::comm {
namespace {

constexpr Milliseconds heartbeat{250};
/// With more nodes than this the hub hears from each less often.
constexpr int nodes_at_full_rate = 64;

Milliseconds heartbeat_for(int nodes) {
  return nodes <= nodes_at_full_rate ? heartbeat
                                     : std::min(Milliseconds{1000}, heartbeat * nodes / nodes_at_full_rate);
}

Limits limits_from(const WatchdogOptions& options) {
  Limits limits;
  limits.call = options.time_limit;
  limits.suspicion = std::min(limits.suspicion, options.time_limit / 4);
  return limits;
}

}  // namespace

Sentry::Sentry(Introductions introductions, int rank, Listener listener, WatchdogOptions options, RunLog& log)
    : roster_(std::move(introductions.roster)),
      board_(std::move(introductions.board)),
      rank_(rank),
      options_(std::move(options)),
      log_(log),
      entry_(board_.rank(introductions.local_rank)),
      parent_(getppid()),
      node_(board_, roster_.ranks_of_node(roster_.node_of_rank[static_cast<std::size_t>(rank)]),
            introductions.local_rank),
      uplink_(roster_, rank),
      hall_(roster_, rank, std::move(listener)),
      sightings_(roster_.node_of_rank, roster_.host_of_node()),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { serve(); });
}

Sentry::~Sentry() {
  stopping_ = true;
  wake();
  thread_.join();
}

bool Sentry::settle(std::chrono::milliseconds limit) const {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!settled_ && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return settled_;
}

void Sentry::wake() const {
  eventfd_write(wake_.get(), 1);
}

void Sentry::serve() {
  pthread_setname_np(pthread_self(), "watchdog");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (!stopping_) {
    look();
    if (verdict_ && std::chrono::steady_clock::now() >= verdict_at_ + options_.grace) end_process();
    sleep();
  }
  look();  // the hub learns that this rank has left
  uplink_.send(Frame::Type::goodbye, {});
  hall_.tell_all(Frame::Type::goodbye, {});
}

void Sentry::sleep() const {
  constexpr Milliseconds in_a_hurry{20};
  std::vector<pollfd> interests{{wake_.get(), POLLIN, 0}, uplink_.interest()};
  node_.interests(interests);
  hall_.interests(interests);
  const bool hurry = verdict_ || (!settled_ && uplink_.state() == Uplink::State::searching);
  poll(interests.data(), interests.size(), static_cast<int>((hurry ? in_a_hurry : options_.poll).count()));
  eventfd_t woken;
  eventfd_read(wake_.get(), &woken);
}

void Sentry::look() {
  const Milliseconds now = clock_.advance();
  entry_.beat.fetch_add(1, std::memory_order_relaxed);
  follow_parent();
  node_.step(now);
  const bool leads = node_.leads();
  if (leads) {
    std::vector<Frame> frames;
    uplink_.step(now, frames);
    for (const Frame& frame : frames)
      if (frame.type == Frame::Type::verdict) board_.verdict().propose(frame.body);
    for (const RankSnapshot& snapshot : node_.read_work()) sightings_.see(snapshot, now);
    for (const int node : uplink_.take_lost_nodes()) sightings_.lose(node, now);
  }
  hub_ = leads && uplink_.state() == Uplink::State::alone;
  std::vector<std::string> verdicts;
  hall_.step(now, hub_, sightings_, verdicts);
  for (const std::string& verdict : verdicts) board_.verdict().propose(verdict);
  if (!leads || uplink_.has_settled()) settled_ = true;
  if (hub_) {
    act_as_hub(now);
  } else if (leads) {
    report_to_hub(now);
  }
  obey();
}

void Sentry::follow_parent() {
  if (!options_.follow_parent || getppid() == parent_) return;
  Verdict verdict;
  verdict.reason = Reason::launcher_lost;
  verdict.code = ExitCode::requeue;
  verdict.rank = rank_;
  verdict.node = roster_.endpoint_of_rank[static_cast<std::size_t>(rank_)].host;
  verdict.message = fmt::format("the process that started rank {} on {} is gone: nobody would end this run",
                                rank_, verdict.node);
  propose(verdict);
}

void Sentry::act_as_hub(Milliseconds now) {
  if (now - told_at_ >= heartbeat_for(roster_.nodes())) {
    hall_.tell_all(Frame::Type::beat, {});
    told_at_ = now;
  }
  if (verdict_) return;
  const auto views = sightings_.views(now);
  if (const auto verdict = judge(views, limits_from(options_))) propose(*verdict);
}

void Sentry::report_to_hub(Milliseconds now) {
  const bool due = now - told_at_ >= heartbeat_for(roster_.nodes()) || node_.events() != told_events_;
  if (!due || uplink_.state() != Uplink::State::connected) return;
  const auto& snapshots = node_.read_work();
  Packer packer;
  packer.value(static_cast<std::uint32_t>(snapshots.size()));
  for (const RankSnapshot& snapshot : snapshots) snapshot.pack(packer);
  uplink_.send(Frame::Type::board, packer.take());
  told_at_ = now;
  told_events_ = node_.events();
}

void Sentry::propose(const Verdict& verdict) {
  if (!has_verdict()) board_.verdict().propose(verdict.pack());
}

void Sentry::obey() {
  const std::string_view text = board_.verdict().read();
  if (text.empty()) return;
  if (!verdict_) {
    verdict_ = Verdict::unpack(text);
    verdict_at_ = std::chrono::steady_clock::now();
    // A file system that hangs must not keep this process: the kernel ends it then.
    constexpr unsigned patience_s = 5;
    signal(SIGALRM, SIG_DFL);
    alarm(static_cast<unsigned>(std::chrono::ceil<std::chrono::seconds>(options_.grace).count()) +
          patience_s);
    log_.write("error", fmt::format("watchdog: {}; this rank ends with {}", verdict_->message,
                                    static_cast<int>(verdict_->code)));
  }
  if (hub_) hall_.tell_verdict(text);
  if (passed_on_) return;
  if (hub_) {
    write_status_once();
    passed_on_ = true;
  } else if (uplink_.state() == Uplink::State::connected) {
    uplink_.send(Frame::Type::verdict, text);
    passed_on_ = true;
  }
}

void Sentry::write_status_once() {
  std::vector<std::filesystem::path> files;
  if (!options_.run_folder.empty()) files.push_back(options_.run_folder / "status.json");
  if (!options_.status_copy.empty()) files.push_back(options_.status_copy);
  for (const auto& file : files) {
    try {
      if (!read_failure(file, options_.launch)) write_status(file, {*verdict_, options_.launch});
    } catch (const std::exception& problem) {
      log_.write("error", problem.what());
    }
  }
}

void Sentry::end_process() {
  // Whoever was to write it may be the one that is gone.
  write_status_once();
  node_.kill_silent();
  _exit(static_cast<int>(verdict_->code));
}

}  // namespace trireme::comm
