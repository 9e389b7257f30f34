#pragma once
#include <string>

#include "cli/plan.h"

namespace trireme::cli {

/// The row of the table of devices that a plan counts with: what the command line names, or was
/// measured; the job's section
/// `slurm:`, or else a GPU of this machine, which is then told; "cpu" where there is none.
std::string planned_device(const MachineWords& words, const jobs::JobSpec& job);

}  // namespace trireme::cli
