#include "comm/watchdog/board_observer.h"

#include <exception>

#include <fmt/format.h>
#include <time.h>

namespace trireme::comm {
namespace {

/// A few milliseconds coarse and five times cheaper than the fine clock; whole seconds are what counts here.
std::int64_t coarse_now() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value;
  hash *= 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

/// Zero unless the ranks are evenly spaced.
int stride_of(const Group& group) {
  if (group.size() < 2) return 1;
  const int stride = group.ranks[1] - group.ranks[0];
  for (std::size_t i = 1; i < group.ranks.size(); ++i)
    if (group.ranks[i] - group.ranks[i - 1] != stride) return 0;
  return stride;
}

}  // namespace

std::uint64_t BoardObserver::identity(const Communicator& communicator) {
  const std::uint64_t instance = instances_[{communicator.name(), communicator.group().ranks}]++;
  std::uint64_t hash = mix(0x7472697265, instance);
  for (const char letter : communicator.name()) hash = mix(hash, static_cast<unsigned char>(letter));
  for (const int rank : communicator.group().ranks) hash = mix(hash, static_cast<std::uint64_t>(rank));
  return hash ? hash : 1;
}

int BoardObserver::slot_of(const Communicator& communicator) const noexcept {
  const int used = used_.load(std::memory_order_acquire);
  for (int slot = 0; slot < used; ++slot)
    if (watched_[static_cast<std::size_t>(slot)].communicator.load(std::memory_order_relaxed) ==
        &communicator)
      return slot;
  return none;
}

void BoardObserver::opened(const Communicator& communicator) noexcept {
  try {
    std::lock_guard lock(opening_);
    int slot = 0;
    while (slot < RankEntry::communicators && watched_[static_cast<std::size_t>(slot)].communicator.load())
      ++slot;
    if (slot == RankEntry::communicators) {
      complain_(fmt::format("communicator '{}' is not watched: the board has room for {} at a time",
                            communicator.name(), RankEntry::communicators));
      return;
    }
    Watched& watched = watched_[static_cast<std::size_t>(slot)];
    const Group& group = communicator.group();
    watched.state = CallState{};
    watched.state.communicator = identity(communicator);
    watched.state.first = group.ranks.front();
    watched.state.stride = stride_of(group);
    watched.state.size = group.size();
    assign(watched.state.name, communicator.name());
    entry_.slots[static_cast<std::size_t>(slot)].call.store(watched.state);
    watched.communicator.store(&communicator);
    if (slot >= used_.load()) used_.store(slot + 1, std::memory_order_release);
  } catch (const std::exception& problem) {
    complain_(problem.what());
  }
}

void BoardObserver::closed(const Communicator& communicator) noexcept {
  const int slot = slot_of(communicator);
  if (slot == none) return;
  std::lock_guard lock(opening_);
  Watched& watched = watched_[static_cast<std::size_t>(slot)];
  watched.communicator.store(nullptr);
  // An error takes its communicators with it; what they did last says why it came about.
  if (std::uncaught_exceptions() > 0) return;
  watched.state = CallState{};
  entry_.slots[static_cast<std::size_t>(slot)].call.store(watched.state);
}

void BoardObserver::began(const Communicator& communicator, const Call& call,
                          std::uint64_t sequence) noexcept {
  const int slot = slot_of(communicator);
  if (slot == none) return;
  CallState& state = watched_[static_cast<std::size_t>(slot)].state;
  const Signature signature = Signature::of(call);
  state.sequence = sequence;
  state.signature = signature.word();
  state.began_ns = coarse_now();
  state.active = 1;
  if (signature.point_to_point()) {
    state.peer = communicator.group().ranks[static_cast<std::size_t>(call.peer)];
  } else {
    state.peer = -1;
    state.recent[state.begun++ % CallState::remembered] = signature.word();
  }
  entry_.slots[static_cast<std::size_t>(slot)].call.store(state, 0, changing_words);
}

void BoardObserver::ended(const Communicator& communicator, const Call&, std::uint64_t) noexcept {
  const int slot = slot_of(communicator);
  if (slot == none) return;
  CallState& state = watched_[static_cast<std::size_t>(slot)].state;
  state.ended_ns = coarse_now();
  state.active = 0;
  entry_.slots[static_cast<std::size_t>(slot)].call.store(state, 0,
                                                          offsetof(CallState, slot) / sizeof(std::uint64_t));
}

void BoardObserver::phase(std::string_view name, std::chrono::milliseconds limit) noexcept {
  if (entry_.phase_taken.test_and_set(std::memory_order_acquire)) return;
  ++phase_.count;
  phase_.since_ns = coarse_now();
  phase_.limit_ms = limit.count();
  assign(phase_.name, name);
  entry_.phase.store(phase_);
  entry_.phase_taken.clear(std::memory_order_release);
}

}  // namespace trireme::comm
