#pragma once
#include <memory>
#include <vector>

#include "sharding/channel.h"
#include "sharding/schedule.h"

namespace trireme::sharding {

/// Where ranks stand when spans are counted: those of a node one after the other, whatever order the launcher
/// gave them.
class Standing {
 public:
  explicit Standing(const comm::World& world);
  int position() const { return position_; }
  Extent extent() const { return extent_; }
  comm::Group ranks_at(const comm::Group& positions) const;

 private:
  std::vector<int> rank_at_;
  int position_ = 0;
  Extent extent_;
};

/// How many ranks share this one's node.
int ranks_beside(const comm::World& world);

/// Whether the threads that compute and a lane of each rank are more than its node has cores.
bool lanes_share_cores(const comm::World& world, int computing_threads);

/// The channels that schedules name by circle. Every rank makes the same ones in the same order.
class Circles {
 public:
  /// `hosts`: for what the host itself computes, the norm. `give_way`: lanes that wait leave their
  /// core to computation.
  Circles(comm::World& world, comm::World& hosts, const Standing& standing, bool give_way)
      : world_(world), hosts_(hosts), standing_(standing), give_way_(give_way) {}
  /// One pointer for each of the schedule's circles; makes those that are new.
  std::vector<Channel*> of(const Schedule& schedule);
  comm::Traffic traffic() const;
  /// Bytes that vectors have for being in their wires.
  std::size_t room() const;

 private:
  Channel& find_or_make(const Circle& circle);

  struct Made {
    Circle circle;
    std::unique_ptr<Channel> channel;
  };
  comm::World& world_;
  comm::World& hosts_;
  const Standing& standing_;
  bool give_way_;
  std::vector<Made> made_;
};

}  // namespace trireme::sharding
