#pragma once
#include <map>
#include <string_view>
#include <vector>

#include <poll.h>

#include "comm/watchdog/link.h"
#include "comm/watchdog/net.h"
#include "comm/watchdog/roster.h"
#include "comm/watchdog/sightings.h"

namespace trireme::comm {

/// Where the leaders of other nodes report: every rank keeps one, so that each can become the hub, but lets
/// nobody in until it is the hub.
class Hall {
 public:
  Hall(const Roster& roster, int rank, Listener listener);

  void interests(std::vector<pollfd>& into) const;
  /// Lets guests in (or refuses them), takes their boards into `sightings` and their verdicts into
  /// `verdicts`, and marks nodes lost whose leader's connection was cut and for which no other rank of the
  /// node takes over.
  void step(Milliseconds now, bool is_hub, Sightings& sightings, std::vector<std::string>& verdicts);
  /// Tells the guests that have not heard it, those too that came after it.
  void tell_verdict(std::string_view packed);
  void tell_all(Frame::Type type, std::string_view body);

 private:
  struct Guest {
    Link link;
    Milliseconds since{0};
    int node = -1;
    bool said_goodbye = false;
    bool knows_verdict = false;
  };
  void let_in(Milliseconds now);
  void hear(Guest& guest, const Frame& frame, Milliseconds now, bool is_hub, Sightings& sightings,
            std::vector<std::string>& verdicts);
  bool has_guest_from(int node) const;

  const Roster& roster_;
  int rank_;
  Listener listener_;
  std::vector<Guest> guests_;
  std::map<int, Milliseconds> cut_off_;
};

}  // namespace trireme::comm
