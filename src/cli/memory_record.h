#pragma once
#include "cli/loaded_model.h"

namespace trireme::cli {

/// Writes `memory.json` of the run folder: what the first rank was foretold to hold, by tier and purpose,
/// beside what the engine allocated and, of a GPU, what is in use.
void write_memory_record(const jobs::JobSpec& job, LoadedModel& model, const comm::World& world);

}  // namespace trireme::cli
