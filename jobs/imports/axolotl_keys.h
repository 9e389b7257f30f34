#pragma once
#include <vector>

#include "jobs/imports/foreign_key.h"

namespace trireme::jobs {

/// Keys of Axolotl's YAML beyond those that are keys of a job file: what asks for nothing here, and what is
/// refused with a reason.
const std::vector<ForeignKey>& axolotl_keys();

}  // namespace trireme::jobs
