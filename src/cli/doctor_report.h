#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "comm/doctor/finding.h"

namespace trireme::cli {

/// LibTorch's version, the vector instructions that it uses here, and where it lies.
comm::doctor::Finding check_libtorch();
/// Where the PyPI wheels keep NCCL and cuFile: next to LibTorch's own.
std::vector<std::filesystem::path> libraries_beside_libtorch();

/// How much optimizer state the host and the drive under TMPDIR hold, and how fast it is updated there:
/// measured, a second's worth.
comm::doctor::Finding check_tiers();

/// Whether Slurm's controller answers, where Slurm is installed.
comm::doctor::Finding check_slurm();

}  // namespace trireme::cli
