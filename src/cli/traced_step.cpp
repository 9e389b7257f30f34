#include "cli/traced_step.h"

#include "cli/lora.h"
#include "cli/plan.h"
#include "model/work.h"
#include "optim/adamw.h"
#include "sharding/tensor_memory.h"

namespace trireme::cli {
namespace {

using sharding::ScheduleOptions;

sharding::Machine machine_of_run(const TraceWords& words) {
  MachineWords machine;
  machine.file = words.machine;
  return machine_of(machine);
}

}  // namespace

TracedStep::TracedStep(const TraceWords& words, const jobs::JobSpec& job, LoadedModel& model,
                       comm::World& world, const train::BatchShape& shape)
    : words_(words), model_(model), world_(world) {
  sharding::Engine& engine = model.engine();
  const sharding::Setting setting = setting_of(job, extent_of(world), model.compute());
  report_.schedule = engine.schedule(ScheduleOptions::Purpose::train, shape.micro_batches);
  const auto work = model::work_of(model.spec(),
                                   model::shape_here(model.spec(), job.micro_batch_size, job.sequence_len,
                                                     sharding::dtype_of(model.compute())),
                                   lora_of(job));
  const sharding::Machine machine = machine_of_run(words);
  report_.memory =
      forecast_memory(engine.blueprint(), setting.placement, report_.schedule, states_of(job), work);
  const auto costs = costs_of(report_.schedule, setting.placement, work, machine, setting.extent,
                              share_from_drive(report_.memory, machine, setting.extent));
  report_.foretold = simulate(report_.schedule, costs, machine.sharing());
}

void TracedStep::between_steps() {
  const int next = ++steps_;
  if (recorder_) report();
  if (next != words_.step) return;
  recorder_ = std::make_unique<sharding::StepRecorder>(model_.engine().executor());
  sharding::forget_peak();
  tensors_before_ = sharding::tensor_memory().in_use;
  model_.engine().control().barrier();
  recorder_->begin(report_.schedule);
}

void TracedStep::report() {
  const std::size_t peak = sharding::tensor_memory().peak - tensors_before_;
  report_.measured = gather_timelines(model_.engine().control(), recorder_->timeline(world_.size() == 1));
  recorder_.reset();
  if (world_.rank() != 0) return;
  print_step(report_, model_.engine().memory(), peak);
  write_step(report_, words_.file);
}

}  // namespace trireme::cli
