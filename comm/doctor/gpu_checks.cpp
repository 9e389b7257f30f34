#include "comm/doctor/gpu_checks.h"

#include <algorithm>
#include <array>
#include <memory>
#include <sstream>

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/vfs.h>

#include "comm/doctor/parse.h"
#include "comm/topology_parse.h"
#include "comm/topology_survey.h"
#include "core/plugin.h"

namespace trireme::comm::doctor {
namespace {

namespace fs = std::filesystem;

constexpr int oldest_driver = 580;  // the first that runs CUDA 13
constexpr int oldest_nccl = 22800;

constexpr std::array<std::pair<unsigned long, const char*>, 9> file_systems{{{0xef53, "ext4"},
                                                                             {0x58465342, "xfs"},
                                                                             {0x9123683e, "btrfs"},
                                                                             {0x2fc12fc1, "zfs"},
                                                                             {0x794c7630, "overlay"},
                                                                             {0x01021994, "tmpfs"},
                                                                             {0x6969, "nfs"},
                                                                             {0x0bd00bd0, "lustre"},
                                                                             {0x47504653, "gpfs"}}};
/// Those that cuFile goes past the host's memory for.
constexpr std::array<std::string_view, 5> direct_file_systems{"ext4", "xfs", "nfs", "lustre", "gpfs"};

std::vector<fs::path> library_folders(const std::vector<fs::path>& more) {
  std::vector<fs::path> folders = more;
  const Environment environment = current_environment();
  if (const auto path = environment.find("LD_LIBRARY_PATH"); path != environment.end()) {
    std::istringstream stream(path->second);
    for (std::string folder; std::getline(stream, folder, ':');)
      if (!folder.empty()) folders.emplace_back(folder);
  }
  for (const char* folder :
       {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/local/cuda/lib64"})
    folders.emplace_back(folder);
  return folders;
}

std::optional<int> nccl_version(const fs::path& library) {
  struct Close {
    void operator()(void* handle) const { ::dlclose(handle); }
  };
  if (library.empty()) return std::nullopt;
  const std::unique_ptr<void, Close> handle(::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL));
  if (!handle) return std::nullopt;
  using GetVersion = int (*)(int*);
  const auto get_version = reinterpret_cast<GetVersion>(::dlsym(handle.get(), "ncclGetVersion"));
  int version = 0;
  if (!get_version || get_version(&version) != 0) return std::nullopt;
  return version;
}

Finding check_plugin(bool gpus) {
  const auto places = plugin_places();
  const auto found = std::find_if(places.begin(), places.end(), [](const fs::path& place) {
    std::error_code problem;
    return fs::exists(place, problem);
  });
  if (found != places.end()) return ok("GPU plugin", found->string());
  if (!gpus) return ok("GPU plugin", "not built; none is needed without GPUs");
  return warning("GPU plugin", "not found",
                 "GPUs stay unused: build with a CUDA 13 toolkit and NCCL (cmake --preset cuda)");
}

}  // namespace

int count_pci_gpus(const fs::path& root) {
  int count = 0;
  std::error_code problem;
  for (fs::directory_iterator device(root / "sys/bus/pci/devices", problem), end; !problem && device != end;
       device.increment(problem)) {
    const bool display = read_text(device->path() / "class").starts_with("0x03");
    count += display && read_text(device->path() / "vendor").starts_with("0x10de");
  }
  return count;
}

fs::path find_library(std::string_view name, const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders) {
    std::error_code problem;
    if (fs::exists(folder / name, problem)) return folder / name;
  }
  return {};
}

Finding judge_driver(std::string_view version, int devices, const std::vector<Gpu>& usable) {
  if (version.empty()) {
    if (devices == 0) return ok("GPU driver", "no NVIDIA GPU: training runs on the processor");
    return warning("GPU driver",
                   fmt::format("none, though {} NVIDIA device{} on the PCI bus", devices,
                               devices == 1 ? " is" : "s are"),
                   fmt::format("install NVIDIA's driver, {} or newer", oldest_driver));
  }
  std::string found =
      fmt::format("{}; {} usable GPU{}", version, usable.size(), usable.size() == 1 ? "" : "s");
  if (!usable.empty())
    found += fmt::format(" ({})", usable.front().name.empty() ? "model not known" : usable.front().name);
  const auto major = parse_number(version.substr(0, version.find('.')));
  if (major && *major < oldest_driver)
    return warning("GPU driver", found, fmt::format("CUDA 13 needs driver {} or newer", oldest_driver));
  if (usable.empty())
    return warning("GPU driver", found,
                   "no device file can be opened or CUDA_VISIBLE_DEVICES hides all: ask the scheduler for "
                   "GPUs (--gpus)");
  return ok("GPU driver", found);
}

Finding judge_nccl(std::optional<int> version, bool gpus) {
  if (!version) {
    if (!gpus) return ok("NCCL", "not found; none is needed without GPUs");
    return warning("NCCL", "not found",
                   "GPUs cannot exchange data: install the wheel nvidia-nccl-cu13 or put libnccl.so.2 on "
                   "LD_LIBRARY_PATH");
  }
  const std::string found = fmt::format("{}.{}.{}", *version / 10000, *version / 100 % 100, *version % 100);
  if (*version < oldest_nccl)
    return warning("NCCL", found, "trireme needs 2.28 or newer: install the wheel nvidia-nccl-cu13");
  return ok("NCCL", found);
}

std::string file_system_of(const fs::path& folder) {
  struct statfs facts {};
  if (::statfs(folder.c_str(), &facts) != 0) return "nothing";
  const auto type = static_cast<unsigned long>(facts.f_type) & 0xffffffffUL;
  for (const auto& [number, name] : file_systems)
    if (number == type) return name;
  return fmt::format("file system {:#x}", type);
}

Finding judge_gds(std::string_view module_version, const fs::path& cufile, bool gpus,
                  std::string_view file_system) {
  std::string found = fmt::format("nvidia-fs: {}; cuFile: {}; scratch: {}",
                                  module_version.empty() ? "not loaded" : module_version,
                                  cufile.empty() ? "not found" : cufile.string(), file_system);
  if (!gpus) return ok("GPUDirect Storage", found + "; not needed without GPUs");
  const bool reached = std::find(direct_file_systems.begin(), direct_file_systems.end(), file_system) !=
                       direct_file_systems.end();
  if (module_version.empty() || cufile.empty())
    return warning("GPUDirect Storage", found + "; drives and GPUs meet in host memory",
                   "install nvidia-fs (modprobe nvidia-fs) and libcufile (the wheel nvidia-cufile)");
  if (!reached)
    return warning("GPUDirect Storage", found + "; drives and GPUs meet in host memory",
                   "name a folder on a local ext4 or xfs drive in offload.nvme_paths");
  return ok("GPUDirect Storage", found + "; drives and GPUs meet directly (offload.nvme_backend=auto)");
}

std::vector<Finding> check_gpus(const std::vector<Gpu>& usable, const std::vector<fs::path>& more_folders) {
  const std::vector<fs::path> folders = library_folders(more_folders);
  const bool gpus = !usable.empty();
  return {
      judge_driver(parse_nvidia_version(read_text("/proc/driver/nvidia/version")), count_pci_gpus("/"),
                   usable),
      check_plugin(gpus),
      judge_nccl(nccl_version(find_library("libnccl.so.2", folders)), gpus),
      judge_gds(parse_dotted_version(read_text("/proc/driver/nvidia-fs/version")),
                find_library("libcufile.so.0", folders), gpus, file_system_of(fs::temp_directory_path())),
  };
}

}  // namespace trireme::comm::doctor
