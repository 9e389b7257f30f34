#include <array>

#include <fmt/ranges.h>

#include "core/error.h"
#include "sharding/predict/machine.h"

namespace trireme::sharding {
namespace {

constexpr double giga = 1e9, tera = 1e12, micro = 1e-6, gibi = 1024.0 * 1024 * 1024;
/// A context of CUDA and its libraries, and the channels of one NCCL communicator.
constexpr double context_bytes = 0.6 * gibi, channel_bytes = 0.1 * gibi;

constexpr std::string_view cpu = "cpu";

/// Data sheets: dense bf16 products with fp32 sums, and what NVLink or PCIe carries one way.
struct KnownDevice {
  std::string_view name;
  double matrix_tflops, fp32_tflops, memory_gb_s, memory_gib;
  double inside_gb_s;  ///< one way, of one device
  double nics_gb_s;    ///< one way, of a node of eight, where nothing else is said
  double host_link_gb_s;
};
constexpr std::array devices{
    KnownDevice{"a100-40g", 312, 19.5, 1555, 40, 300, 200, 25},
    KnownDevice{"a100-80g", 312, 19.5, 2039, 80, 300, 200, 25},
    KnownDevice{"h100-80g", 989, 67, 3350, 80, 450, 400, 55},
    KnownDevice{"h100-96g-hbm2e", 989, 67, 2400, 96, 450, 400, 55},
    KnownDevice{"h200", 989, 67, 4800, 141, 450, 400, 55},
    KnownDevice{"b200", 2250, 80, 8000, 192, 900, 400, 55},
    KnownDevice{"l40s", 362, 91.6, 864, 48, 25, 50, 25},
    KnownDevice{"a6000-ada", 364, 91.1, 960, 48, 25, 25, 25},
    KnownDevice{"a5000", 111, 27.8, 768, 24, 25, 25, 25},
    KnownDevice{"rtx3090", 71, 35.6, 936, 24, 12, 12, 25},
    KnownDevice{"rtx4090", 165, 82.6, 1008, 24, 20, 25, 25},
    KnownDevice{"rtx5090", 209, 105, 1792, 32, 40, 50, 50},
    KnownDevice{"v100-16g", 125, 15.7, 900, 16, 150, 50, 12},
    KnownDevice{"t4", 65, 8.1, 320, 16, 12, 12, 12},
    KnownDevice{cpu, 0.4, 0.2, 20, 16, 8, 1.25, 8},
};

/// What programs of a class reach on a device, fitted to published runs (docs/performance.md): one row for
/// each family of devices and class of software, none for a single run. Families without a row of their own
/// take that of "". Nothing of trireme's own is measured on a GPU yet: it is taken for eager.
struct Reached {
  std::string_view family, software;
  double matrix_share, small_dimension, small_rows, recompute_share, attention_share, memory_share;
  double kernel_us, step_us, inside_us, across_us, link_share, beside_collective;
};
constexpr std::array reached{
    Reached{"a100", "eager", 0.744, 77, 340, 0.958, 0.326, 1.33, 3.7, 16900, 3, 2.8, 0.506, 0.171},
    Reached{"h100", "eager", 0.612, 62, 786, 0.698, 0.178, 0.667, 2.6, 21000, 3, 1.6, 0.432, 0.106},
    Reached{"", "eager", 0.65, 70, 500, 0.9, 0.25, 0.8, 3.5, 20000, 3, 3, 0.5, 0.15},
    Reached{"h100", "compiled", 0.86, 62, 1410, 0.698, 0.178, 2.5, 2.6, 2600, 3, 1.6, 0.432, 0.106},
    Reached{"h100-96g-hbm2e", "eager", 0.574, 62, 786, 0.698, 0.178, 0.667, 2.6, 21000, 3, 1.6, 0.432, 0.106},
    Reached{"h100-96g-hbm2e", "compiled", 0.644, 62, 786, 0.698, 0.178, 1, 2.6, 10000, 3, 1.6, 0.432, 0.106},
    Reached{"", "compiled", 0.65, 70, 500, 0.9, 0.25, 1.2, 3, 10000, 3, 3, 0.5, 0.15},
    Reached{cpu, "trireme", 0.7, 16, 16, 1, 0.3, 0.5, 5, 500, 0.2, 30, 1, 0.3},
};

std::string_view family_of(std::string_view device) {
  if (device.starts_with("a100")) return "a100";
  if (device == "h100-80g" || device == "h200") return "h100";
  return device;
}

const Reached* find_reached(std::string_view family, std::string_view software) {
  for (const Reached& row : reached)
    if (row.family == family && row.software == software) return &row;
  return nullptr;
}

}  // namespace

Machine known_machine(std::string_view device, std::string_view software) {
  for (const KnownDevice& row : devices) {
    if (row.name != device) continue;
    const std::string_view as = software == "trireme" && device != cpu ? "eager" : software;
    const Reached* share = find_reached(family_of(device), as);
    if (!share) share = find_reached("", as);
    if (!share)
      fail(ExitCode::configuration, "there is no class of software '{}'; known are trireme, eager, compiled",
           software);
    Machine machine;
    machine.device = row.name, machine.software = software;
    machine.matrix_flops = row.matrix_tflops * tera, machine.matrix_flops_fp32 = row.fp32_tflops * tera;
    machine.memory_bytes_per_s = row.memory_gb_s * giga, machine.memory_bytes = row.memory_gib * gibi;
    machine.inside = {share->inside_us * micro, row.inside_gb_s * giga};
    machine.across = {share->across_us * micro, row.nics_gb_s * giga};
    machine.host_link_bytes_per_s = row.host_link_gb_s * giga;
    machine.nvme_bytes_per_s = machine.nvme_write_bytes_per_s = 5 * giga;
    machine.host_memory_bytes = 1000 * giga;
    machine.device_is_host = device == cpu;
    machine.host_update_bytes_per_s = 100 * giga;
    if (device != cpu) machine.reserved_bytes = context_bytes, machine.communicator_bytes = channel_bytes;
    machine.matrix_share = share->matrix_share, machine.small_dimension = share->small_dimension;
    machine.small_rows = share->small_rows, machine.recompute_share = share->recompute_share;
    machine.attention_share = share->attention_share, machine.memory_share = share->memory_share;
    machine.kernel_s = share->kernel_us * micro, machine.step_s = share->step_us * micro;
    machine.link_share = share->link_share;
    machine.compute_beside_collective = share->beside_collective;
    return machine;
  }
  fail(ExitCode::configuration, "there is no device '{}' in the table; known are {}", device,
       fmt::join(known_devices(), ", "));
}

std::vector<std::string_view> known_devices() {
  std::vector<std::string_view> names;
  for (const KnownDevice& row : devices) names.push_back(row.name);
  return names;
}

}  // namespace trireme::sharding
