#include <cstdio>
#include <string_view>

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>

#include "core/error.h"
#include "core/plugin.h"

/// One process for each way to open a plugin, since it is opened once in a process: plugin_probe <when>
/// [driver]. The plugin comes from the environment. Ends with the Error's code, and says what LibTorch thinks
/// of GPUs afterwards.
int main(int argc, char** argv) {
  using namespace trireme;
  const std::string_view when = argc > 1 ? argv[1] : "first";
  PluginNames names;
  if (argc > 2) names.driver = argv[2];
  if (argc > 3) names.tensor_device_library = argv[3];
  if (when == "after-tensors") static_cast<void>(at::detail::getCUDAHooks());
  if (when == "after-mark") mark_tensors_used();
  int code = 0;
  try {
    DevicePlugin& plugin = open_device_plugin(names);
    fmt::print("devices {} same {} last {}\n", plugin.device_count(), &open_device_plugin(names) == &plugin,
               plugin.info(2).pci_id);
    static_cast<void>(plugin.open(1));
  } catch (const Error& error) {
    fmt::print("error: {}\n", error.what());
    code = static_cast<int>(error.code());
  }
  fmt::print("hooks {}\n", at::detail::getCUDAHooks().hasCUDART() ? "real" : "stub");
  return code;
}
