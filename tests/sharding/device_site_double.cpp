#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/mpi/device_exchange.h"
#include "comm/mpi/mpi_world.h"
#include "cuda/cuda_plugin.h"
#include "tests/mpi_main.h"
#include "tests/nccl_double/host_nccl.h"
#include "tests/sharding/device_site.h"

namespace trireme::sharding::tests {
namespace {

namespace doubles = trireme::tests;

/// Streams run behind, on threads of their own, over the host's memory, of which each range is checked.
class DoubleSite final : public DeviceSite {
 public:
  Device& device() override { return *device_; }
  comm::World& world() override { return *world_; }
  comm::World& hosts() override { return hosts_; }

 private:
  comm::MpiWorld hosts_{doubles::mpi_runtime()};
  cuda::CudaPlugin plugin_{doubles::host_apis()};
  std::unique_ptr<Device> device_ = plugin_.open(0);
  std::unique_ptr<comm::World> world_ = plugin_.world(*device_, comm::meet_over_mpi(hosts_));
};

}  // namespace

std::unique_ptr<DeviceSite> open_device_site() {
  return std::make_unique<DoubleSite>();
}

std::string misuses() {
  std::vector<std::string> found = doubles::take_misuses();
  if (const std::size_t left = doubles::host_cuda_alive() + doubles::host_nccl_alive())
    found.push_back(fmt::format("{} things were left behind", left));
  return fmt::format("{}", fmt::join(found, "; "));
}

}  // namespace trireme::sharding::tests
