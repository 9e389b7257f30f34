#pragma once
#include <boost/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/loaded_model.h"
#include "cli/plan.h"
#include "sharding/engine.h"
#include "sharding/predict/forecast.h"
#include "train/batches.h"

namespace trireme::cli {

/// A step as it was foretold and as it ran.
struct StepReport {
  sharding::Schedule schedule;
  sharding::Timeline foretold;
  sharding::MemoryForecast memory;
  /// One for each rank, on rank 0 only.
  std::vector<sharding::Timeline> measured;
  /// Where a device computed it: how often this rank's host waited for that in the step.
  std::optional<HostWaits> waits{};
};

/// As the record of a run has them.
boost::json::object json_of_waits(const HostWaits& waits);

/// The ranks that an engine's spans are counted over.
sharding::Extent extent_of(const comm::World& world);
/// The step that every rank runs `shape.micro_batches` micro-batches in; the schedule must be there already,
/// or every rank calls it.
StepReport foretell_step(const jobs::JobSpec& job, LoadedModel& model, const comm::World& world,
                         const train::BatchShape& shape, const sharding::Machine& machine);
/// What the ranks recorded, on rank 0. Every rank calls it.
std::vector<sharding::Timeline> gather_timelines(comm::Communicator& control, const sharding::Timeline& mine);

/// Predicted against measured: lanes, exposed collectives, the step, memory.
void print_step(const StepReport& report, const sharding::MemoryUse& memory, std::size_t tensor_peak);
/// Measured and foretold lanes as a Chrome trace and, beside it, as a picture (`.svg`).
void write_step(const StepReport& report, const std::string& path);

}  // namespace trireme::cli
