#include <ATen/detail/CUDAHooksInterface.h>

#include "comm/device_world.h"
#include "core/error.h"
#include "core/plugin.h"

namespace {

/// Registers itself as LibTorch's GPU hooks when the library is loaded, as LibTorch's own GPU library does.
struct Hooks final : at::CUDAHooksInterface {
  explicit Hooks(at::CUDAHooksArgs) {}
  bool hasCUDART() const override { return true; }
};

class Plugin final : public trireme::DevicePlugin {
 public:
  int device_count() const override { return 3; }
  trireme::DeviceInfo info(int index) const override {
    return {"Test device", "0000:0" + std::to_string(index) + ":00.0", 0, 9, 0};
  }
  std::unique_ptr<trireme::Device> open(int index) override {
    trireme::fail(trireme::ExitCode::configuration, "test device {} does not open", index);
  }
  std::unique_ptr<trireme::comm::World> world(trireme::Device&, trireme::comm::DeviceWorldOptions) override {
    return nullptr;
  }
};

}  // namespace

// The registry looks the class up under the name that LibTorch asks for.
namespace at {
using CUDAHooks = Hooks;
REGISTER_CUDA_HOOKS(CUDAHooks)
}  // namespace at

extern "C" trireme::DevicePlugin* trireme_device_plugin(std::uint32_t wanted_abi, std::uint32_t* own_abi) {
  static Plugin plugin;
  *own_abi = trireme::device_plugin_abi;
  return wanted_abi == *own_abi ? &plugin : nullptr;
}
