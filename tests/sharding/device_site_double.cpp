#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/mpi/device_exchange.h"
#include "comm/mpi/mpi_world.h"
#include "cuda/cuda_plugin.h"
#include "tests/cufile_double/host_storage.h"
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
  static const cuda::Apis& apis() {
    static const cuda::Apis made = [] {
      cuda::Apis apis = doubles::host_apis();
      apis.storage = doubles::host_storage_api([] { return std::string("2.26.6"); });
      return apis;
    }();
    return made;
  }
  cuda::CudaPlugin plugin_{apis()};
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
  const CufileCounts cufile = cufile_double_counts();
  if (cufile.misuses > 0) found.push_back(cufile_double_misuse());
  if (cufile.files + cufile.memories + cufile.streams + cufile.opens > 0)
    found.push_back("cuFile still knows files, memory or streams");
  return fmt::format("{}", fmt::join(found, "; "));
}

}  // namespace trireme::sharding::tests
