#include "sharding/executor.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "sharding/channel.h"

namespace trireme::sharding {
namespace {

/// As PyTorch's clip_grad_norm_ counts it.
constexpr double norm_margin = 1e-6;

/// Whether the op's thread itself looks at memory that a device may be at work on. What is fetched and
/// spilled lies on the host, where only threads use it.
bool host_takes_part(const Op& op) {
  switch (op.kind) {
    case OpKind::gather:
    case OpKind::forward:
    case OpKind::backward:
    case OpKind::drop:
    case OpKind::reduce:
    case OpKind::stash:
    case OpKind::norm:
    case OpKind::update:
    case OpKind::lower:
    case OpKind::lift:
    case OpKind::fetch:
    case OpKind::spill:
    case OpKind::load:
    case OpKind::store:
      return false;
    default:
      return true;
  }
}

/// Transfers between drives and a device's memory, which wait for the point themselves.
bool begins_at_its_point(const Op& op) {
  return op.kind == OpKind::load || op.kind == OpKind::store;
}

}  // namespace

/// What fails first is the cause; what fails after it only lacked its result.
void Executor::Run::fail_with(std::exception_ptr error) {
  if (!failed.exchange(true)) failure = std::move(error);
}

Executor::Track& Executor::track(OpLane which) {
  auto& made = tracks_[static_cast<std::size_t>(which)];
  if (!made)
    made.reset(new Track{Lane(std::string(name_of(which))), ArrayLane(device_, [this] {
                           if (const Run* run = running_) watch(*run);
                         })});
  return *made;
}

/// Returns when the device has done all that the lanes have put there.
void Executor::await_device(Run& run) {
  if (!device_) return;
  const auto attempt = [&](const auto& work) {
    try {
      work();
    } catch (...) {
      run.cut_off = true;
      run.fail_with(std::current_exception());
    }
  };
  for (const auto& made : tracks_)
    if (made) attempt([&] { made->arrays.finish(); });
  attempt([&] { watch(run); });
  running_ = nullptr;
}

/// While a thread waits for the device: throws when a collective has failed.
void Executor::watch(const Run& run) const {
  for (Channel* channel : run.channels) channel->check();
}

Outcome Executor::run(const Schedule& schedule, const std::vector<Channel*>& channels,
                      const StepInput& input) {
  require(static_cast<int>(input.micro_batches.size()) == schedule.options.micro_batches,
          "a schedule of {} micro-batches was given {}", schedule.options.micro_batches,
          input.micro_batches.size());
  Run run{schedule, channels, input};
  run.update_scale = 1.0 / input.loss_scale;
  run.squares.assign(place_.states.size(), 0.0);
  require(!schedule.options.update_when_reduced || (!input.max_norm && !input.most_loss),
          "clipping and spikes need the norm of all gradients and the loss before the first update");
  // What the units' inputs are made of is put on the device in the order of computing.
  track(OpLane::compute).arrays.enter();
  place_.units.begin(input.micro_batches, schedule.options.activations, input.inspect);
  while (device_ && points_.size() < schedule.ops.size()) points_.push_back(device_->make_event());
  // None takes memory once the device is at work.
  for (const Op& op : schedule.ops)
    if (op.kind == OpKind::norm || op.kind == OpKind::update || op.kind == OpKind::lower)
      track(op.lane).arrays.reserve_sums(place_.states.size());
  running_ = &run;
  if (InputStore* inputs = place_.tiers.inputs()) inputs->open(schedule.host_inputs);
  std::vector<Event> done;
  done.reserve(schedule.ops.size());
  for (int i = 0; i < static_cast<int>(schedule.ops.size()); ++i) {
    const Op& op = schedule.ops[static_cast<std::size_t>(i)];
    if (op.kind == OpKind::snapshot && !copied_) {
      done.push_back(Event::already_set());
      continue;
    }
    std::vector<Event> waits;
    for (const int wait : op.waits) waits.push_back(done[static_cast<std::size_t>(wait)]);
    done.push_back(track(op.lane).thread.post([this, &run, i] { execute(run, i); }, std::move(waits)));
  }
  for (const Event& event : done) event.wait();
  await_device(run);
  if (StatePipe* pipe = place_.tiers.pipe()) try {
      pipe->drain();
    } catch (...) {
      run.fail_with(std::current_exception());
    }

  const bool trained = schedule.options.purpose == ScheduleOptions::Purpose::train;
  if (!trained) {
    run.result.loss = place_.units.loss();
    run.failed_ranks = run.failed ? 1 : 0;
  } else if (updates(run)) {
    ++generation_;
  }
  if (trained && !run.failed) copied_ = {};
  return {run.result, run.failure, run.cut_off, run.failed_ranks};
}

void Executor::execute(Run& run, int index) {
  const Op& op = run.schedule.ops[static_cast<std::size_t>(index)];
  const bool collective = op.communicator >= 0;
  if (collective ? run.cut_off.load() : run.failed.load() && op.kind != OpKind::norm) return;
  ArrayLane& lane = arrays(op);
  try {
    if (device_) await_points(op);
    if (before_) before_(run.schedule, index);
    if (begin_) begin_(index, lane);
    carry_out(run, index);
    if (end_) end_(index, lane);
    if (!begins_at_its_point(op)) leave_point(op, index);
  } catch (...) {
    if (collective) run.cut_off = true;
    run.fail_with(std::current_exception());
  }
}

void Executor::await_points(const Op& op) {
  ArrayLane& lane = arrays(op);
  for (const int wait : op.waits) lane.wait(*points_[static_cast<std::size_t>(wait)]);
  lane.enter();
  if (host_takes_part(op)) lane.finish();
}

const DeviceEvent* Executor::leave_point(const Op& op, int index) {
  if (!device_) return nullptr;
  DeviceEvent& point = *points_[static_cast<std::size_t>(index)];
  arrays(op).record(point);
  return &point;
}

void Executor::compute_in_rehearsal(Run& run, int index) {
  const Op& op = run.schedule.ops[static_cast<std::size_t>(index)];
  if (op.kind != OpKind::update) check_slots(run, op);
  if (op.staging >= 0 && op.kind == OpKind::update) place_.tiers.pipe()->arrived(op.staging);
  const auto unit = static_cast<std::size_t>(op.target);
  if (op.staging >= 0 && op.kind == OpKind::forward && unit < rehearsal_.input_bytes.size())
    place_.units.pretend_input(op.target, op.micro_batch, rehearsal_.input_bytes[unit]);
  // Who imitates computation begins when what it needs is there.
  arrays(op).finish();
  rehearsal_.compute(run.schedule, index);
  if (op.staging >= 0 && op.kind == OpKind::backward) place_.units.forget_input(op.target, op.micro_batch);
}

void Executor::carry_out(Run& run, int index) {
  const Op& op = run.schedule.ops[static_cast<std::size_t>(index)];
  const bool computes =
      op.kind == OpKind::forward || op.kind == OpKind::backward || op.kind == OpKind::update;
  if (computes && rehearsal_.compute) return compute_in_rehearsal(run, index);
  switch (op.kind) {
    case OpKind::gather:
      return gather(run, op);
    case OpKind::forward:
      check_slots(run, op);
      return place_.units.forward(op.target, op.micro_batch,
                                  run.schedule.options.purpose == ScheduleOptions::Purpose::train, op.keep);
    case OpKind::backward:
      check_slots(run, op);
      if (op.staging >= 0) place_.units.take_over_input(op.target, op.micro_batch);
      return place_.units.backward(op.target, op.micro_batch, op.overwrite);
    case OpKind::drop:
      return place_.parameter_slots.dropped(op.target);
    case OpKind::stash:
      return stash(op);
    case OpKind::reduce:
      return reduce(run, op);
    case OpKind::norm:
      return norm(run, op);
    case OpKind::update:
      return update(run, op);
    case OpKind::fetch:
      return place_.tiers.pipe()->fetch(op.target, op.part, op.staging);
    case OpKind::spill:
      if (was_updated(run, op.target)) place_.tiers.pipe()->spill(op.target, op.part, op.staging);
      return;
    case OpKind::load:
      place_.tiers.pipe()->load(op.target, static_cast<std::byte*>(place_.home_slots.data(op.target)),
                                leave_point(op, index));
      return place_.home_slots.filled(op.target, generation_);
    case OpKind::store:
      return place_.tiers.pipe()->store(
          op.target, static_cast<std::byte*>(place_.refresh_slots.data(op.target)), leave_point(op, index));
    case OpKind::snapshot:
      if (copied_) copied_(op.target);
      return;
    case OpKind::park:
      return place_.tiers.inputs()->park(op.part, place_.units.kept_input(op.target, op.micro_batch),
                                         arrays(op));
    case OpKind::recall:
      return place_.tiers.inputs()->recall(op.part, place_.units.kept_input(op.target, op.micro_batch),
                                           arrays(op));
    case OpKind::lower:
      return lower(run, op);
    case OpKind::lift:
      return arrays(op).copy(state(op.target).gradient(), state(op.target).lowered(), op.bytes);
  }
}

void Executor::check_slots(const Run& run, const Op& op) const {
  if (!run.schedule.facts.reads_weights(op)) return;
  const UnitFacts& unit = run.schedule.facts.units[static_cast<std::size_t>(op.target)];
  for (const int group : unit.groups)
    if (place_.parameter_slots.has(group))
      place_.parameter_slots.check(group, generation_, place_.blueprint.group(group).name, unit.name);
    else
      await_home(group, unit.name);
}

/// Where a group's parameters lie on NVMe, waits until they are in memory.
void Executor::await_home(int group, std::string_view user) const {
  if (!place_.home_slots.has(group)) return;
  place_.tiers.pipe()->loaded(group);
  place_.home_slots.check(group, generation_, place_.blueprint.group(group).name, user);
}

void Executor::gather(Run& run, const Op& op) {
  Channel& channel = *run.channels[static_cast<std::size_t>(op.communicator)];
  const GroupState& from = state(op.target);
  const bool refreshes = op.route == Route::refresh;
  if (op.route == Route::primary && !run.failed) try {
      await_home(op.target, "gather");
    } catch (...) {
      run.fail_with(std::current_exception());
    }
  if (rehearsal_.without_collectives) {
    if (!refreshes) place_.parameter_slots.filled(op.target, generation_);
    return;
  }
  if (refreshes)
    return refresh(run, op,
                   place_.refresh_slots.has(op.target) ? place_.refresh_slots.data(op.target) : from.home(),
                   arrays(op));
  void* slot = place_.parameter_slots.data(op.target);
  if (op.route == Route::secondary) {
    channel.gather(arrays(op), from.secondary(), slot, from.secondary_elements(), from.stored());
  } else {
    channel.gather(arrays(op), from.home(), slot, from.parameter_elements(), from.stored());
  }
  place_.parameter_slots.filled(op.target, generation_);
}

void Executor::refresh(Run& run, const Op& op, void* into, ArrayLane& lane) {
  const GroupState& from = state(op.target);
  run.channels[static_cast<std::size_t>(op.communicator)]->gather(lane, from.updated(), into,
                                                                  from.optimizer_elements(), from.stored());
}

void Executor::stash(const Op& op) {
  const GroupState& into = state(op.target);
  const auto* whole = static_cast<const std::byte*>(place_.parameter_slots.data(op.target));
  const std::size_t bytes = static_cast<std::size_t>(into.secondary_elements()) * size_of(into.stored());
  arrays(op).copy(into.secondary(), whole + static_cast<std::size_t>(into.secondary_slice()) * bytes, bytes);
}

void Executor::reduce(Run& run, const Op& op) {
  if (rehearsal_.without_collectives) return;
  Channel& channel = *run.channels[static_cast<std::size_t>(op.communicator)];
  const GroupState& group = state(op.target);
  switch (op.route) {
    case Route::span: {
      const bool first = op.overwrite != 0;
      float* landing = first ? group.gradient() : place_.landing.as<float>();
      auto* whole = static_cast<float*>(place_.gradient_slots.data(op.target));
      // Padding holds what another group left there, which would spoil the block that it shares with numbers.
      if (channel.quantises())
        place_.blueprint.layouts[static_cast<std::size_t>(op.target)].for_each_gap(
            [&](std::int64_t at, std::int64_t count) {
              arrays(op).clear(whole + at, static_cast<std::size_t>(count) * sizeof(float));
            });
      channel.reduce_scatter(arrays(op), whole, landing, group.gradient_elements());
      if (!first) arrays(op).add(group.gradient(), landing, group.gradient_elements());
      return;
    }
    case Route::rest:
      return channel.reduce_scatter(arrays(op), group.gradient(), group.reduced(),
                                    group.optimizer_elements());
    default:
      return channel.all_reduce(arrays(op), group.reduced(), group.optimizer_elements());
  }
}

/// The device sums the squares of a complete gradient before it goes.
void Executor::lower(Run& run, const Op& op) {
  const GroupState& group = state(op.target);
  const bool complete = op.part == 1;
  arrays(op).copy(group.lowered(), complete ? group.reduced() : group.gradient(), op.bytes);
  if (complete && !rehearsal_.compute)
    run.squares[static_cast<std::size_t>(op.target)] = squares_of(group, arrays(op));
}

void Executor::norm(Run& run, const Op& op) {
  if (rehearsal_.compute) arrays(op).finish();
  const double squares = rehearsal_.compute ? 0 : squares_of_all(run, arrays(op));
  std::array<double, 3> totals{squares, place_.units.loss(), run.failed ? 1.0 : 0.0};
  if (op.communicator >= 0 && !rehearsal_.without_collectives)
    run.channels[static_cast<std::size_t>(op.communicator)]->all_reduce(totals);
  run.failed_ranks = static_cast<int>(totals[2]);
  const double scale = 1.0 / run.input.loss_scale;
  run.result.loss = totals[1] * scale;
  run.result.gradient_norm = std::sqrt(totals[0]) * scale;
  run.result.overflow = !std::isfinite(totals[0]) || !std::isfinite(totals[1]) ||
                        (run.input.most_loss && run.result.loss > *run.input.most_loss);
  run.update_scale = scale;
  if (run.input.max_norm)
    run.update_scale *= std::min(1.0, *run.input.max_norm / (run.result.gradient_norm + norm_margin));
}

void Executor::publish(const Schedule& schedule, const std::vector<Channel*>& channels) {
  const StepInput nothing;
  Run run{schedule, channels, nothing};
  ArrayLane& lane = track(OpLane::cpu_update).arrays;
  lane.enter();
  for (const Op& op : schedule.ops) {
    if (op.kind == OpKind::update && op.part == 0) {
      state(op.target).publish(lane);
    } else if (op.kind == OpKind::gather && op.route == Route::refresh) {
      // A device does not reach the map of what is on drives.
      const bool apart = lane.on_device() && place_.refresh_slots.has(op.target);
      void* const home = state(op.target).home_at_rest();
      void* const into = apart ? place_.refresh_slots.data(op.target) : home;
      refresh(run, op, into, lane);
      if (apart) lane.read(home, into, state(op.target).home_bytes());
    }
  }
  lane.finish();
  ++generation_;
}

}  // namespace trireme::sharding
