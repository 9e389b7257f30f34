#include "cli/traced_step.h"

#include "cli/known_gpu.h"
#include "sharding/tensor_memory.h"

namespace trireme::cli {
namespace {

sharding::Machine machine_of_run(const TraceWords& words) {
  MachineWords machine;
  machine.file = words.machine;
  machine.gpu = table_row(compute_device());
  return machine_of(machine);
}

}  // namespace

TracedStep::TracedStep(const TraceWords& words, const jobs::JobSpec& job, LoadedModel& model,
                       comm::World& world, const train::BatchShape& shape)
    : words_(words),
      model_(model),
      world_(world),
      report_(foretell_step(job, model, world, shape, machine_of_run(words))) {}

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
  if (compute_device()) report_.waits = recorder_->waits();
  report_.measured = gather_timelines(model_.engine().control(), recorder_->timeline(world_.size() == 1));
  recorder_.reset();
  if (world_.rank() != 0) return;
  print_step(report_, model_.engine().memory(), peak);
  write_step(report_, words_.file);
}

}  // namespace trireme::cli
