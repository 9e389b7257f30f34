#pragma once
#include "cli/ranks.h"

namespace trireme::cli {

/// Threads, memory and the exactness of products, as a job asks for them and where its ranks compute.
void prepare_to_compute(const jobs::JobSpec& job, Ranks& ranks);

/// Refuses operations whose results could differ from run to run.
void repeat_to_the_bit();

}  // namespace trireme::cli
