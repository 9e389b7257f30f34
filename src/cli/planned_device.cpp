#include "cli/planned_device.h"

#include "cli/known_gpu.h"
#include "core/error.h"
#include "core/log.h"
#include "core/plugin.h"

namespace trireme::cli {
namespace {

/// Nothing where no GPU can be had.
std::optional<DeviceInfo> gpu_of_this_machine() {
  try {
    const DevicePlugin& plugin = open_device_plugin();
    if (plugin.device_count() == 0) return std::nullopt;
    return plugin.info(0);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string planned_device(const MachineWords& words, const jobs::JobSpec& job) {
  if (!words.gpu.empty()) return words.gpu;
  if (const std::string measured = device_in(words.file); !measured.empty()) return measured;
  if (!job.slurm.gpu.empty()) return job.slurm.gpu;
  if (job.device == "cpu") return "cpu";
  const std::optional<DeviceInfo> here = gpu_of_this_machine();
  if (!here) return "cpu";
  const std::string known = known_gpu(*here);
  if (known.empty()) {
    log::info(
        "there are no published figures of this machine's {}: planned for the CPU; --gpu names another "
        "device",
        here->name);
    return "cpu";
  }
  log::info("planned for this machine's {} ({}); --gpu names another device", here->name, known);
  return known;
}

}  // namespace trireme::cli
