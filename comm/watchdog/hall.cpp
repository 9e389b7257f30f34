#include "comm/watchdog/hall.h"

#include <algorithm>
#include <utility>

#include "comm/watchdog/packing.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

/// For the next rank of a node to come forward when its leader's connection is cut.
constexpr Milliseconds patience{600}, time_to_greet{5000};

}  // namespace

Hall::Hall(const Roster& roster, int rank, Listener listener)
    : roster_(roster), rank_(rank), listener_(std::move(listener)) {}

void Hall::interests(std::vector<pollfd>& into) const {
  into.push_back({listener_.socket.get(), POLLIN, 0});
  for (const Guest& guest : guests_)
    into.push_back(
        {guest.link.descriptor(), static_cast<short>(POLLIN | (guest.link.has_unsent() ? POLLOUT : 0)), 0});
}

void Hall::let_in(Milliseconds now) {
  while (Descriptor socket = accept_from(listener_.socket)) {
    Guest guest;
    guest.link = Link(std::move(socket));
    guest.since = now;
    guests_.push_back(std::move(guest));
  }
}

void Hall::hear(Guest& guest, const Frame& frame, Milliseconds now, bool is_hub, Sightings& sightings,
                std::vector<std::string>& verdicts) {
  Unpacker unpacker(frame.body);
  if (guest.node < 0) {
    const bool ours = frame.type == Frame::Type::hello && unpacker.value<std::uint64_t>() == roster_.key;
    const int rank = ours ? unpacker.value<int>() : -1;
    if (rank < 0 || rank >= roster_.size() || unpacker.value<int>() != rank_) return guest.link.close();
    if (!is_hub) return guest.link.send(Frame::Type::refusal);
    guest.node = roster_.node_of_rank[static_cast<std::size_t>(rank)];
    guest.link.send(Frame::Type::welcome);
    cut_off_.erase(guest.node);
    return;
  }
  if (frame.type == Frame::Type::board) {
    for (auto left = unpacker.value<std::uint32_t>(); left > 0; --left)
      sightings.see(RankSnapshot::unpack(unpacker), now);
  } else if (frame.type == Frame::Type::verdict) {
    verdicts.push_back(frame.body);
  } else if (frame.type == Frame::Type::goodbye) {
    guest.said_goodbye = true;
  }
}

bool Hall::has_guest_from(int node) const {
  return std::any_of(guests_.begin(), guests_.end(),
                     [node](const Guest& guest) { return guest.node == node && guest.link.open(); });
}

void Hall::step(Milliseconds now, bool is_hub, Sightings& sightings, std::vector<std::string>& verdicts) {
  let_in(now);
  for (Guest& guest : guests_) {
    guest.link.flush();
    guest.link.pump();
    try {
      while (const auto frame = guest.link.next()) hear(guest, *frame, now, is_hub, sightings, verdicts);
    } catch (const Error&) {
      guest.link.close();  // not one of ours
    }
    if (guest.node < 0 && now - guest.since > time_to_greet) guest.link.close();
  }
  for (const Guest& guest : guests_)
    if (!guest.link.open() && guest.node >= 0 && !guest.said_goodbye && !sightings.all_left(guest.node))
      cut_off_.try_emplace(guest.node, now);
  std::erase_if(guests_, [](const Guest& guest) { return !guest.link.open(); });

  for (auto cut = cut_off_.begin(); cut != cut_off_.end();) {
    const bool replaced = has_guest_from(cut->first);
    const bool lost = !replaced && now - cut->second >= patience;
    if (lost) sightings.lose(cut->first, now);
    cut = replaced || lost ? cut_off_.erase(cut) : std::next(cut);
  }
}

void Hall::tell_verdict(std::string_view packed) {
  for (Guest& guest : guests_) {
    if (guest.node < 0 || std::exchange(guest.knows_verdict, true)) continue;
    guest.link.send(Frame::Type::verdict, packed);
  }
}

void Hall::tell_all(Frame::Type type, std::string_view body) {
  for (Guest& guest : guests_)
    if (guest.node >= 0) guest.link.send(type, body);
}

}  // namespace trireme::comm
