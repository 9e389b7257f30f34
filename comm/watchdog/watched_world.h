#pragma once
#include <utility>

#include "comm/watchdog/watchdog.h"

namespace trireme::comm {

/// A world all of whose communicators are watched; both that it is made of outlive it.
class WatchedWorld final : public World {
 public:
  WatchedWorld(World& world, const Watchdog& watchdog) : world_(world), watchdog_(watchdog) {}
  int rank() const override { return world_.rank(); }
  int size() const override { return world_.size(); }
  const std::vector<int>& node_of_rank() const override { return world_.node_of_rank(); }
  int cores() const override { return world_.cores(); }
  std::unique_ptr<Communicator> communicator(const Group& group, std::string_view backend,
                                             CommunicatorOptions options) override {
    return world_.communicator(group, backend, watchdog_.watched(std::move(options)));
  }

 private:
  World& world_;
  const Watchdog& watchdog_;
};

}  // namespace trireme::comm
