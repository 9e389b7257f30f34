#include "core/plugin.h"

#include <cstdlib>
#include <mutex>
#include <string_view>

#include <dlfcn.h>
#include <link.h>

#include "core/error.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

/// Process-wide like the dynamic linker's own state, which it guards.
struct State {
  std::mutex mutex;
  bool tensors_used = false;
  DevicePlugin* plugin = nullptr;
};

State& state() {
  static State instance;
  return instance;
}

/// RTLD_LOCAL keeps the plugin's own copies of our code apart from the program's.
void* open_library(const std::string& path) {
  return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
}

fs::path folder_of_loaded(std::string_view library) {
  struct Search {
    std::string_view wanted;
    fs::path found;
  } search{library, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto& wish = *static_cast<Search*>(data);
        const fs::path path = info->dlpi_name;
        if (path.filename() != wish.wanted) return 0;
        wish.found = path.parent_path();
        return 1;
      },
      &search);
  return search.found;
}

fs::path find_plugin(const PluginNames& names) {
  std::string looked;
  for (const fs::path& place : plugin_places(names)) {
    std::error_code ignored;
    if (fs::exists(place, ignored)) return place;
    looked += (looked.empty() ? "" : ", ") + place.string();
  }
  fail(ExitCode::configuration,
       "a GPU is asked for but the plugin {} is not there (looked for {}); build trireme where a CUDA 13 "
       "toolkit and NCCL are "
       "installed, or set {} to the plugin's path",
       names.library, looked, names.variable);
}

DevicePlugin* load(const PluginNames& names) {
  if (!open_library(names.driver))
    fail(ExitCode::configuration,
         "a GPU is asked for but this machine has no GPU driver ({}); run on a machine with a GPU, or ask "
         "for the CPU",
         dlerror());
  const fs::path path = find_plugin(names);
  // Both halves of LibTorch must be of one build: prefer the half beside the one already loaded over any that
  // the plugin was linked with.
  const fs::path beside = folder_of_loaded(names.tensor_library);
  std::error_code ignored;
  if (!beside.empty() && fs::exists(beside / names.tensor_device_library, ignored)) {
    if (!open_library((beside / names.tensor_device_library).string()))
      fail(ExitCode::configuration,
           "LibTorch's GPU library cannot be loaded: {}; install the full set of wheels that torch names",
           dlerror());
  }
  void* library = open_library(path.string());
  if (!library)
    fail(ExitCode::configuration,
         "the plugin {} cannot be loaded: {}; install what it names, or build the plugin again",
         path.string(), dlerror());
  const auto entry = reinterpret_cast<DevicePluginEntry>(dlsym(library, device_plugin_entry));
  if (!entry)
    fail(ExitCode::configuration, "{} is not a trireme plugin: it has no symbol {}", path.string(),
         device_plugin_entry);
  std::uint32_t abi = 0;
  DevicePlugin* plugin = entry(device_plugin_abi, &abi);
  if (!plugin)
    fail(ExitCode::configuration,
         "the plugin {} speaks version {} of the device interface and this program version {}; build both "
         "from the same sources",
         path.string(), abi, device_plugin_abi);
  return plugin;
}

}  // namespace

std::vector<fs::path> plugin_places(const PluginNames& names) {
  if (const char* path = std::getenv(names.variable.c_str()); path && *path) return {path};
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  return {program / names.library, program.parent_path() / "lib" / names.library};
}

DevicePlugin& open_device_plugin(const PluginNames& names) {
  State& shared = state();
  std::lock_guard lock(shared.mutex);
  if (shared.plugin) return *shared.plugin;
  require(!shared.tensors_used,
          "the GPU plugin must be opened before the first tensor operation: LibTorch has already settled on "
          "having no GPU");
  shared.plugin = load(names);
  return *shared.plugin;
}

void mark_tensors_used() noexcept {
  State& shared = state();
  std::lock_guard lock(shared.mutex);
  shared.tensors_used = true;
}

}  // namespace trireme
