#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/device.h"

namespace trireme {

/// Changes whenever core/device.h or anything that it passes on changes its shape.
inline constexpr std::uint32_t device_plugin_abi = 5;

/// The one symbol of a plugin. Writes its own ABI number; returns null when that is not `wanted_abi`. The
/// plugin owns the result. Throws an Error with ExitCode::configuration when there is no driver or no device.
using DevicePluginEntry = DevicePlugin* (*)(std::uint32_t wanted_abi, std::uint32_t* own_abi);
inline constexpr const char* device_plugin_entry = "trireme_device_plugin";

/// What a plugin is called and what it stands on; tests name others.
struct PluginNames {
  std::string library = "libtrireme_cuda.so";
  /// The environment variable that holds the plugin's whole path.
  std::string variable = "TRIREME_CUDA_PLUGIN";
  /// Without it there is no GPU to speak of, and loading anything bigger is in vain.
  std::string driver = "libcuda.so.1";
  std::string tensor_library = "libtorch_cpu.so";
  /// Stands beside `tensor_library` and must come from the same LibTorch.
  std::string tensor_device_library = "libtorch_cuda.so";
};

/// Opens the plugin, once for the process and never closed. Call it before any tensor operation and before
/// threads that do some: LibTorch looks for its GPU hooks once, and if the plugin is not there yet it never
/// sees a GPU. Throws an Error with ExitCode::configuration and one sentence when driver, plugin or GPU is
/// missing.
DevicePlugin& open_device_plugin(const PluginNames& names = {});

/// Whoever is about to run the first tensor operation says so; opening the plugin afterwards is refused.
void mark_tensors_used() noexcept;

/// Where the plugin is looked for, in order.
std::vector<std::filesystem::path> plugin_places(const PluginNames& names = {});

}  // namespace trireme
