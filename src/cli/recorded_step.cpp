#include "cli/recorded_step.h"

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "cli/known_gpu.h"
#include "cli/step_report.h"
#include "core/log.h"
#include "io/file.h"

namespace trireme::cli {
namespace {

using Purpose = sharding::ScheduleOptions::Purpose;

/// Without a file, a GPU's figures are published ones, and what a processor's products reach was measured
/// when the run started.
sharding::Machine machine_of_run(const jobs::JobSpec& job, const std::string& file, sharding::Codec compute,
                                 double matrix_flops) {
  MachineWords words;
  words.file = file;
  words.gpu = table_row(compute_device());
  if (!compute_device() && !job.slurm.gpu.empty()) words.gpu = job.slurm.gpu;
  words.nodes = static_cast<int>(job.slurm.nodes);
  words.gpus_per_node = static_cast<int>(std::max<std::int64_t>(job.slurm.gpus_per_node, 1));
  sharding::Machine machine = machine_of(words);
  if (words.gpu == "cpu" && file.empty() && matrix_flops > 0)
    (compute == sharding::Codec::fp32 ? machine.matrix_flops_fp32 : machine.matrix_flops) =
        matrix_flops / machine.matrix_share;
  return machine;
}

/// For a screen, which has no room for a picture.
std::string lanes_of(const StepReport& report) {
  const sharding::Timeline& measured = report.measured.front();
  const auto busy = occupancy(report.schedule, measured);
  boost::json::object lanes;
  for (std::size_t lane = 0; lane < busy.size(); ++lane)
    if (busy[lane] > 0) lanes[name_of(static_cast<sharding::OpLane>(lane))] = busy[lane];
  boost::json::object record{
      {"step_s", measured.step_s()}, {"foretold_s", report.foretold.step_s()}, {"lanes", std::move(lanes)}};
  if (report.waits) record["host_waits"] = json_of_waits(*report.waits);
  return boost::json::serialize(record) + "\n";
}

}  // namespace

RecordedStep::RecordedStep(const jobs::JobSpec& job, LoadedModel& model, comm::World& world,
                           const train::BatchShape& shape, const ModelPace& pace,
                           const std::string& machine_file, std::int64_t steps_left)
    : job_(job),
      model_(model),
      world_(world),
      shape_(shape),
      matrix_flops_(pace.flops_per_second / world.size()),
      machine_file_(machine_file),
      which_(std::min(job.record_step, steps_left)) {}

void RecordedStep::between_steps() {
  if (recorder_) write();
  recorder_.reset();
  if (++steps_ != which_) return;
  // Where it is not made yet, all ranks make it together.
  const auto& schedule = model_.engine().schedule(Purpose::train, shape_.micro_batches);
  if (world_.rank() != 0) return;
  recorder_ = std::make_unique<sharding::StepRecorder>(model_.engine().executor());
  recorder_->begin(schedule);
}

void RecordedStep::write() const {
  const HostWaits waits = recorder_->waits();
  try {
    StepReport report = foretell_step(job_, model_, world_, shape_,
                                      machine_of_run(job_, machine_file_, model_.compute(), matrix_flops_));
    if (compute_device()) report.waits = waits;
    report.measured = {recorder_->timeline()};
    const std::filesystem::path folder = job_.output_dir;
    write_step(report, folder / "trace.json");
    io::write_text_atomically(folder / "lanes.json", lanes_of(report));
  } catch (const std::exception& error) {
    log::warning("the report goes without a recorded step: {}", error.what());
  }
}

}  // namespace trireme::cli
