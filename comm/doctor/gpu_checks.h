#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "comm/doctor/finding.h"
#include "comm/topology.h"

namespace trireme::comm::doctor {

/// `version` of the kernel module; empty without one. `devices`: NVIDIA GPUs on the PCI bus.
Finding judge_driver(std::string_view version, int devices, const std::vector<Gpu>& usable);
/// `version` as NCCL counts: 22803 is 2.28.3; nothing when the library is not found.
Finding judge_nccl(std::optional<int> version, bool gpus);
/// Which way the NVMe tier would take between drive and GPU: the nvidia-fs kernel module, the cuFile library
/// and a file system of `direct_file_systems` together spare the copy in host memory.
Finding judge_gds(std::string_view module_version, const std::filesystem::path& cufile, bool gpus,
                  std::string_view file_system = "ext4");
/// "ext4", "overlay"; a number for one without a name here.
std::string file_system_of(const std::filesystem::path& folder);

/// NVIDIA display and compute devices under /sys/bus/pci.
int count_pci_gpus(const std::filesystem::path& root);
/// The first folder of `folders` that holds `name`; empty when none does.
std::filesystem::path find_library(std::string_view name, const std::vector<std::filesystem::path>& folders);

/// `folders` holds more places to look for libraries, such as those beside LibTorch.
std::vector<Finding> check_gpus(const std::vector<Gpu>& usable,
                                const std::vector<std::filesystem::path>& folders);

}  // namespace trireme::comm::doctor
