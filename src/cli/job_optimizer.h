#pragma once
#include <memory>

#include "jobs/job_spec.h"
#include "sharding/optimizer.h"

namespace trireme::cli {

std::unique_ptr<const sharding::Optimizer> optimizer_of(const jobs::JobSpec& job);

}  // namespace trireme::cli
