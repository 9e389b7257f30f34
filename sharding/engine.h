#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "offload/host/limits.h"
#include "sharding/executor.h"
#include "sharding/predict/work.h"
#include "sharding/state_slice.h"
#include "sharding/tiers.h"
#include "sharding/views.h"

namespace trireme::sharding {

struct EngineOptions {
  int prefetch_depth = 1;
  int reduce_depth = 1;
  bool unit_major = false;
  /// Threads of this rank that share sums and updates on the host.
  int host_threads = 1;
  /// Updates begin while backward goes on: only for steps without clipping and loss scaling.
  bool update_when_reduced = false;
  /// Gradients stay in memory though they could vanish: for steps of several micro-batches that are not
  /// unit-major.
  bool keeps_gradients = true;
  /// How many units ahead of its backward an input comes back from the host.
  int input_depth = 1;
  /// `parts_in_memory` are the least: there are more where memory has room for them beside what units are
  /// said here to keep.
  std::function<ModelWork()> work_beside_parts{};
  std::function<offload::HostLimits()> host_limits = [] { return offload::read_host_limits(); };
  /// Of the host's memory, where the engine's world moves a device's; null: that world.
  comm::World* hosts = nullptr;
  TierOptions tiers{};
};

/// Fills `into` with the elements of a parameter from `begin` on.
using ReadFloats = std::function<void(const Parameter& parameter, std::int64_t begin, std::span<float> into)>;

/// Bytes that this rank keeps, by what they are for.
struct MemoryUse {
  std::size_t states = 0, parameter_slots = 0, gradient_slots = 0, landing = 0, wires = 0;
  /// Of gradients whose tier is the host, where its memory is the device's.
  std::size_t host_gradients = 0;
  TierUse tiers;
  /// The most that was asked for on the host's tier.
  std::size_t host() const { return host_gradients + tiers.pool.asked.most; }
};

/// A model under a placement on the ranks of a world: loads it, trains and evaluates it step by step, and
/// hands out its state. Every rank makes the same calls in the same order.
class Engine {
 public:
  Engine(Model model, const Placement& placement, std::unique_ptr<const Optimizer> optimizer,
         comm::World& world, EngineOptions options = {});

  void load(const ReadFloats& read_tensor);
  /// One optimizer step over the micro-batches of all ranks; each rank gives equally many.
  StepResult train(const StepInput& input);
  /// Computes a step again, updates nothing, and tells what is not finite first on this rank; empty: all is.
  /// Where updates begin before backward has ended, the step before has changed what is computed with.
  std::string find_not_finite(StepInput input);
  /// The loss summed over all ranks, as the contexts weigh it.
  double evaluate(const std::vector<Context>& micro_batches);
  /// What the last unit handed on for a micro-batch of the last evaluation.
  const Activation& output(int micro_batch) const { return units_.output(micro_batch); }
  /// What the last unit hands on for a micro-batch that all ranks are given alike.
  Activation infer(const Context& context);
  /// Runs a schedule that was made elsewhere, for this model and placement.
  StepResult run(const Schedule& schedule, const StepInput& input);

  /// In the same order at each call. A caller that changes what the slices show calls `publish` afterwards.
  void for_each_slice(const std::function<void(const StateSlice&)>& visit);
  void publish();

  const Model& model() const { return model_; }
  const Blueprint& blueprint() const { return blueprint_; }
  const Schedule& schedule(ScheduleOptions::Purpose purpose, int micro_batches) {
    return prepared(purpose, micro_batches).schedule;
  }
  /// Of all ranks and the host's memory, for the small agreements of a training loop.
  comm::Communicator& control() { return *control_; }
  /// Of the ranks that hold the same trainable slices as this one, in the order of `StateSlice::replica`.
  comm::Communicator& replicas() { return *replicas_; }
  comm::Traffic traffic() const { return circles_.traffic(); }
  MemoryUse memory() const;
  /// Null where no state lies on NVMe.
  const StatePipe* pipe() { return tiers_.pipe(); }
  Executor& executor() { return executor_; }
  /// Of the ring through which state on NVMe is updated.
  int parts_in_memory() const { return options_.tiers.parts_in_memory; }
  /// Buffers made so far for states, slots and landing; constant once the engine stands.
  int allocations() const { return allocations_; }

 private:
  struct Prepared {
    Schedule schedule;
    std::vector<Channel*> channels;
  };
  Prepared& prepared(ScheduleOptions::Purpose purpose, int micro_batches);
  ScheduleOptions schedule_options(ScheduleOptions::Purpose purpose, int micro_batches) const;
  Schedule build(ScheduleOptions::Purpose purpose, int micro_batches) const;
  void agree_on(const Schedule& schedule);
  /// Refuses what cannot fit, and gives the ring a part of what is left.
  void share_memory(const comm::World& world);
  StepResult agreed(const Outcome& outcome);
  Allocate allocator();
  Allocate beside_drives();
  std::size_t landing_bytes() const;

  Model model_;
  Placement placement_;
  EngineOptions options_;
  std::unique_ptr<const Optimizer> optimizer_;
  Standing standing_;
  Circles circles_;
  /// By which arrays are reached outside of steps.
  ArrayLane arrays_;
  std::unique_ptr<comm::Communicator> control_;
  /// Of the world whose memory collectives move; null where that is the host's.
  std::unique_ptr<comm::Communicator> mover_;
  int allocations_ = 0;
  Blueprint blueprint_;
  std::unique_ptr<comm::Communicator> replicas_;
  Schedule first_schedule_;
  Tiers tiers_;
  Slots slice_slots_, home_slots_, refresh_slots_;
  std::vector<GroupState> states_;
  Slots parameter_slots_, gradient_slots_;
  comm::Buffer landing_;
  Views views_;
  UnitRunner units_;
  std::vector<std::unique_ptr<Prepared>> prepared_;
  Executor executor_;
};

}  // namespace trireme::sharding
