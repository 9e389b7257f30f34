#include <cstdlib>

#include "comm/mpi/device_exchange.h"
#include "comm/mpi/mpi_world.h"
#include "core/plugin.h"
#include "tests/mpi_main.h"
#include "tests/sharding/device_site.h"

namespace trireme::sharding::tests {
namespace {

class GpuSite final : public DeviceSite {
 public:
  GpuSite() {
    const int gpus = plugin_.device_count();
    // NCCL takes two ranks on one GPU when it believes that they are on different hosts.
    if (gpus < hosts_.size()) {
      setenv("NCCL_HOSTID", std::to_string(hosts_.rank()).c_str(), 0);
      setenv("NCCL_IB_DISABLE", "1", 0);
    }
    device_ = plugin_.open(hosts_.rank() % gpus);
    world_ = plugin_.world(*device_, comm::meet_over_mpi(hosts_));
  }
  Device& device() override { return *device_; }
  comm::World& world() override { return *world_; }
  comm::World& hosts() override { return hosts_; }

 private:
  DevicePlugin& plugin_ = open_device_plugin();
  comm::MpiWorld hosts_{trireme::tests::mpi_runtime()};
  std::unique_ptr<Device> device_;
  std::unique_ptr<comm::World> world_;
};

}  // namespace

std::unique_ptr<DeviceSite> open_device_site() {
  return std::make_unique<GpuSite>();
}

std::string misuses() {
  return {};
}

}  // namespace trireme::sharding::tests
