#pragma once
#include <optional>
#include <string>
#include <vector>

#include <poll.h>

#include "comm/watchdog/link.h"
#include "comm/watchdog/roster.h"
#include "comm/watchdog/sightings.h"

namespace trireme::comm {

/// The connection of a node's leader to the hub: the first rank, in the order of nodes, that leads a node and
/// answers. Finds the next one when the hub is lost. Driven by its owner's poll loop; never blocks.
class Uplink {
 public:
  enum class State {
    /// Nobody stands before this node, or nobody answers: this leader is the hub.
    alone,
    searching,
    connected,
  };

  Uplink(const Roster& roster, int rank);

  State state() const;
  /// True once it has reached a hub, or there is none to reach.
  bool has_settled() const { return settled_; }
  pollfd interest() const;
  /// Moves on as far as it can; appends what the hub has sent to `frames`.
  void step(Milliseconds now, std::vector<Frame>& frames);
  void send(Frame::Type type, std::string_view body);
  /// Nodes that were lost with the hub: their processes are gone, as every connection to them is refused.
  std::vector<int> take_lost_nodes();

 private:
  enum class Stage { resting, connecting, greeting, linked };
  void try_next_address(Milliseconds now);
  void skip_candidate(Milliseconds now);
  void end_of_round(Milliseconds now);
  void greet(Milliseconds now);
  void connect_on(Milliseconds now);
  void greet_on(Milliseconds now);
  void listen_on(Milliseconds now, std::vector<Frame>& frames);
  void hub_gone(bool cut_off);

  const Roster& roster_;
  int rank_;
  std::vector<int> candidates_;
  /// Candidates whose kernel answered but not they are left out until then.
  std::vector<Milliseconds> skip_until_;
  Stage stage_ = Stage::resting;
  bool alone_ = false;
  bool settled_ = false;

  std::size_t candidate_ = 0, address_ = 0;
  Descriptor connecting_;
  Link link_;
  Milliseconds deadline_{0}, heard_{0};
  /// In this round of the search somebody said that it does not lead, so a leader will come.
  bool refused_ = false;
  /// The hub's connection was closed without a goodbye, and no process of the nodes before this one has been
  /// met since.
  bool cut_off_ = false;
  std::vector<int> lost_nodes_;
};

}  // namespace trireme::comm
