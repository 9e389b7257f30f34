#include "core/error.h"
#include "core/plugin.h"

extern "C" trireme::DevicePlugin* trireme_device_plugin(std::uint32_t, std::uint32_t*) {
  trireme::fail(trireme::ExitCode::configuration, "the driver shows no GPU");
}
