#include <cstdint>

extern "C" void* trireme_device_plugin(std::uint32_t, std::uint32_t* own_abi) {
  *own_abi = 4000;
  return nullptr;
}
