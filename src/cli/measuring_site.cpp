#include "cli/measuring_site.h"

#include <ATen/Parallel.h>

#include "sharding/circles.h"
#include "sharding/tensor_device.h"

namespace trireme::cli {
namespace {

comm::Group group_of_all(const comm::World& world) {
  comm::Group all;
  for (int rank = 0; rank < world.size(); ++rank) all.ranks.push_back(rank);
  return all;
}

}  // namespace

MeasuringSite::MeasuringSite(const Worlds& worlds)
    : worlds_(worlds),
      all_(group_of_all(worlds.hosts)),
      everyone_(worlds.hosts.communicator(all_, "auto", {})),
      lane_(compute_device()),
      watch_(*everyone_, [this] { lane_.finish(); }) {}

comm::CommunicatorOptions MeasuringSite::as_lanes_have() const {
  comm::CommunicatorOptions options;
  options.gives_way = !device() && sharding::lanes_share_cores(worlds_.hosts, at::get_num_threads());
  return options;
}

at::Tensor MeasuringSite::random(at::IntArrayRef shape, at::ScalarType type) const {
  return at::randn(shape, sharding::tensor_device(device())).to(type);
}

}  // namespace trireme::cli
