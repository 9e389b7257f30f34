#include "comm/watchdog/uplink.h"

#include <algorithm>
#include <utility>

#include "comm/watchdog/net.h"
#include "comm/watchdog/packing.h"

namespace trireme::comm {
namespace {

constexpr Milliseconds patience{500}, silence{2000}, pause_between_rounds{100}, pause_when_alone{2000},
    time_out_of_mind{5000};

}  // namespace

Uplink::Uplink(const Roster& roster, int rank) : roster_(roster), rank_(rank) {
  const int node = roster.node_of_rank[static_cast<std::size_t>(rank)];
  for (int before = 0; before < node; ++before)
    for (const int candidate : roster.ranks_of_node(before)) candidates_.push_back(candidate);
  skip_until_.resize(candidates_.size());
  alone_ = settled_ = candidates_.empty();
}

Uplink::State Uplink::state() const {
  if (stage_ == Stage::linked) return State::connected;
  return alone_ ? State::alone : State::searching;
}

pollfd Uplink::interest() const {
  if (stage_ == Stage::connecting) return {connecting_.get(), POLLOUT, 0};
  if (link_.open())
    return {link_.descriptor(), static_cast<short>(POLLIN | (link_.has_unsent() ? POLLOUT : 0)), 0};
  return {-1, 0, 0};
}

void Uplink::step(Milliseconds now, std::vector<Frame>& frames) {
  if (candidates_.empty()) return;
  switch (stage_) {
    case Stage::resting:
      if (now >= deadline_) try_next_address(now);
      return;
    case Stage::connecting:
      return connect_on(now);
    case Stage::greeting:
      return greet_on(now);
    case Stage::linked:
      return listen_on(now, frames);
  }
}

void Uplink::try_next_address(Milliseconds now) {
  connecting_.reset();
  link_ = Link();
  for (; candidate_ < candidates_.size(); ++candidate_, address_ = 0) {
    if (now < skip_until_[candidate_]) continue;
    const Endpoint& endpoint = roster_.endpoint_of_rank[static_cast<std::size_t>(candidates_[candidate_])];
    while (address_ < endpoint.addresses.size()) {
      connecting_ = start_connecting(endpoint.addresses[address_++], endpoint.port);
      if (!connecting_) continue;
      stage_ = Stage::connecting;
      deadline_ = now + patience;
      return;
    }
  }
  end_of_round(now);
}

void Uplink::skip_candidate(Milliseconds now) {
  ++candidate_, address_ = 0;
  try_next_address(now);
}

void Uplink::end_of_round(Milliseconds now) {
  const bool search_on = refused_ || !settled_;
  if (!search_on && cut_off_) {
    for (const int rank : candidates_)
      lost_nodes_.push_back(roster_.node_of_rank[static_cast<std::size_t>(rank)]);
    cut_off_ = false;
  }
  alone_ = !search_on;
  stage_ = Stage::resting;
  deadline_ = now + (search_on ? pause_between_rounds : pause_when_alone);
  candidate_ = address_ = 0;
  refused_ = false;
}

void Uplink::connect_on(Milliseconds now) {
  pollfd ready = interest();
  if (poll(&ready, 1, 0) == 1) return connecting_succeeded(connecting_) ? greet(now) : try_next_address(now);
  if (now >= deadline_) try_next_address(now);
}

void Uplink::greet(Milliseconds now) {
  link_ = Link(std::move(connecting_));
  link_.send(Frame::Type::hello,
             Packer().value(roster_.key).value(rank_).value(candidates_[candidate_]).take());
  stage_ = Stage::greeting;
  deadline_ = now + patience;
}

void Uplink::greet_on(Milliseconds now) {
  link_.flush();
  link_.pump();
  if (const auto frame = link_.next()) {
    cut_off_ = false;
    if (frame->type == Frame::Type::welcome) {
      stage_ = Stage::linked;
      settled_ = true;
      alone_ = false;
      heard_ = now;
    } else {
      refused_ = true;
      skip_candidate(now);
    }
  } else if (!link_.open()) {
    try_next_address(now);
  } else if (now >= deadline_) {
    // Its kernel answers but it does not: a stopped process is not a lost one. At the start it may be another
    // host with the same address.
    cut_off_ = false;
    if (!settled_) return try_next_address(now);
    skip_until_[candidate_] = now + time_out_of_mind;
    skip_candidate(now);
  }
}

void Uplink::listen_on(Milliseconds now, std::vector<Frame>& frames) {
  link_.flush();
  link_.pump();
  while (auto frame = link_.next()) {
    heard_ = now;
    if (frame->type == Frame::Type::goodbye) return hub_gone(false);
    frames.push_back(std::move(*frame));
  }
  if (!link_.open()) return hub_gone(true);
  if (now - heard_ > silence) hub_gone(false);
}

void Uplink::hub_gone(bool cut_off) {
  link_ = Link();
  cut_off_ = cut_off;
  candidate_ = address_ = 0;
  refused_ = false;
  stage_ = Stage::resting;
  deadline_ = Milliseconds{0};
}

void Uplink::send(Frame::Type type, std::string_view body) {
  if (stage_ == Stage::linked) link_.send(type, body);
}

std::vector<int> Uplink::take_lost_nodes() {
  std::sort(lost_nodes_.begin(), lost_nodes_.end());
  lost_nodes_.erase(std::unique(lost_nodes_.begin(), lost_nodes_.end()), lost_nodes_.end());
  return std::exchange(lost_nodes_, {});
}

}  // namespace trireme::comm
