#pragma once
#include <array>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/lane.h"
#include "sharding/array_lane.h"
#include "sharding/blueprint.h"
#include "sharding/circles.h"
#include "sharding/crew.h"
#include "sharding/group_state.h"
#include "sharding/host_updates.h"
#include "sharding/schedule.h"
#include "sharding/slots.h"
#include "sharding/tiers.h"
#include "sharding/unit_runner.h"

namespace trireme::sharding {

/// What one step is told.
struct StepInput {
  std::vector<Context> micro_batches;
  double learning_rate = 0;
  /// Losses were multiplied by it; it is taken out of losses, norm and gradients.
  double loss_scale = 1;
  std::optional<double> max_norm{};
  /// The step's number for the optimizer, from 1.
  std::int64_t step = 1;
  /// A loss above it updates nothing.
  std::optional<double> most_loss{};
  /// What units make is looked at for what is not finite, and nothing is updated.
  bool inspect = false;
};

struct StepResult {
  double loss = 0;
  double gradient_norm = 0;
  /// The gradient was not finite on some rank, or the loss above what it may be, so no rank has updated
  /// anything.
  bool overflow = false;
};

/// How a schedule ended on this rank.
struct Outcome {
  StepResult result;
  /// What failed first here.
  std::exception_ptr failure;
  /// A collective failed, so no further one can be expected to work.
  bool cut_off = false;
  /// How many ranks had failed when the norm was taken; in an evaluation only this rank counts.
  int failed_ranks = 0;
};

/// What ops work on. All of it outlives the executor.
struct Workplace {
  const Blueprint& blueprint;
  const Optimizer& optimizer;
  const Model& model;
  std::vector<GroupState>& states;
  Slots& parameter_slots;
  Slots& gradient_slots;
  /// For a rank's slices of parameters that lie on NVMe: as they are read, and as a refresh gathers them.
  Slots& home_slots;
  Slots& refresh_slots;
  UnitRunner& units;
  /// Of the largest gradient slice that is added to: where a reduction lands before it is added.
  comm::Buffer& landing;
  Tiers& tiers;
};

/// Called on an op's lane right before it runs; tests stall lanes with it.
using BeforeOp = std::function<void(const Schedule& schedule, int op)>;

/// Called on an op's lane, on a device in the order of its stream: what is recorded there is passed when the
/// op begins, or when it ends.
using AtOp = std::function<void(int op, ArrayLane& lane)>;

/// Called on the lane of a group's `snapshot`; its update begins after it has returned.
using BeforeUpdate = std::function<void(int group)>;

/// A step of which parts are left out, to see what the others take.
struct Rehearsal {
  /// Called on an op's lane instead of what it computes; empty: it computes.
  BeforeOp compute;
  /// Where it does not compute: of each unit's input, for those that go to the host and come back.
  std::vector<std::uint64_t> input_bytes{};
  /// Nothing is sent: what collectives would fill holds what it held.
  bool without_collectives = false;
};

/// Runs schedules op by op on lanes that are threads. It decides nothing: order, waits and buffers are the
/// schedule's.
///
/// On a device each lane has a stream as well. Its thread only puts work there and goes on, so it is ahead of
/// the device; an op of another lane then waits in its own stream for the point that the op before has left.
/// Threads wait for the device where the host itself looks at memory.
///
/// A rank on which an op fails takes part in the collectives that are left, so that no other rank waits for
/// it for ever; the norm tells all ranks, and none updates anything.
class Executor {
 public:
  /// `host_threads`: how many share the work of an update. `device`: where it computes; null: the host.
  explicit Executor(Workplace workplace, int host_threads = 1, Device* device = nullptr)
      : place_(workplace), device_(device), crew_(host_threads, "host") {}

  /// `channels`: one for each circle of the schedule. Returns when every op is done.
  Outcome run(const Schedule& schedule, const std::vector<Channel*>& channels, const StepInput& input);
  void before_each(BeforeOp before) { before_ = std::move(before); }
  void mark_each(AtOp begin, AtOp end) { begin_ = std::move(begin), end_ = std::move(end); }
  Device* device() const { return device_; }
  /// For the next step that does not fail: a copy of the state is made while it computes.
  void before_updates(BeforeUpdate copied) { copied_ = std::move(copied); }
  void rehearse(Rehearsal rehearsal) { rehearsal_ = std::move(rehearsal); }
  /// How often parameters have been updated: the generation that slots must hold.
  std::uint64_t generation() const { return generation_; }
  /// Takes what the optimizer's slice holds to all slices of the parameters: after loading, as after an
  /// update.
  void publish(const Schedule& schedule, const std::vector<Channel*>& channels);

 private:
  struct Run {
    const Schedule& schedule;
    const std::vector<Channel*>& channels;
    const StepInput& input;
    StepResult result{};
    double update_scale = 1;
    /// Of each group's gradient, where it is gone when the norm is taken.
    std::vector<double> squares{};
    int failed_ranks = 0;
    std::atomic<bool> failed{false};
    std::atomic<bool> cut_off{false};
    std::exception_ptr failure{};
    void fail_with(std::exception_ptr error);
  };
  struct Track {
    Lane thread;
    ArrayLane arrays;
  };
  void execute(Run& run, int index);
  /// Later work of the op's lane begins when the device has passed what the op waits for.
  void await_points(const Op& op);
  /// Null without a device.
  const DeviceEvent* leave_point(const Op& op, int index);
  void carry_out(Run& run, int index);
  void compute_in_rehearsal(Run& run, int index);
  void gather(Run& run, const Op& op);
  void refresh(Run& run, const Op& op, void* into, ArrayLane& arrays);
  void await_home(int group, std::string_view user) const;
  void reduce(Run& run, const Op& op);
  void stash(const Op& op);
  double squares_of(const GroupState& group, ArrayLane& arrays);
  /// Of all groups that this rank counts; those that are gone were summed before.
  double squares_of_all(const Run& run, ArrayLane& arrays);
  void lower(Run& run, const Op& op);
  void norm(Run& run, const Op& op);
  void update(Run& run, const Op& op);
  /// Whether the host updates the group.
  bool updates_on_host(int group) const;
  void update_piece(const Op& op, const Piece& piece, const UpdateScalars& scalars);
  bool updates(const Run& run) const {
    return !run.result.overflow && run.failed_ranks == 0 && !run.input.inspect;
  }
  void check_slots(const Run& run, const Op& op) const;
  void clear_padding(const Op& op);
  bool was_updated(const Run& run, int group) const;
  GroupState& state(int group) { return place_.states[static_cast<std::size_t>(group)]; }
  Track& track(OpLane which);
  ArrayLane& arrays(const Op& op) { return track(op.lane).arrays; }
  void await_device(Run& run);
  void watch(const Run& run) const;

  Workplace place_;
  Device* device_;
  BeforeOp before_;
  AtOp begin_, end_;
  BeforeUpdate copied_;
  Rehearsal rehearsal_;
  std::uint64_t generation_ = 0;
  std::array<std::unique_ptr<Track>, lane_count> tracks_;
  /// Of the ops of a schedule by index; none without a device.
  std::vector<std::unique_ptr<DeviceEvent>> points_;
  std::atomic<const Run*> running_{nullptr};
  std::unique_ptr<HostUpdates> host_updates_;
  Crew crew_;
};

}  // namespace trireme::sharding
