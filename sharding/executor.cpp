#include "sharding/executor.h"

#include <cmath>
#include <cstring>

#include "core/error.h"
#include "sharding/arrays.h"

namespace trireme::sharding {
namespace {

/// As PyTorch's clip_grad_norm_ counts it.
constexpr double norm_margin = 1e-6;

}  // namespace

/// What fails first is the cause; what fails after it only lacked its result.
void Executor::Run::fail_with(std::exception_ptr error) {
  if (!failed.exchange(true)) failure = std::move(error);
}

Lane& Executor::lane(OpLane which) {
  auto& made = lanes_[static_cast<std::size_t>(which)];
  if (!made) made = std::make_unique<Lane>(std::string(name_of(which)));
  return *made;
}

Outcome Executor::run(const Schedule& schedule, const std::vector<Channel*>& channels,
                      const StepInput& input) {
  require(static_cast<int>(input.micro_batches.size()) == schedule.options.micro_batches,
          "a schedule of {} micro-batches was given {}", schedule.options.micro_batches,
          input.micro_batches.size());
  Run run{schedule, channels, input};
  place_.units.begin(input.micro_batches);
  std::vector<Event> done;
  done.reserve(schedule.ops.size());
  for (int i = 0; i < static_cast<int>(schedule.ops.size()); ++i) {
    const Op& op = schedule.ops[static_cast<std::size_t>(i)];
    std::vector<Event> waits;
    for (const int wait : op.waits) waits.push_back(done[static_cast<std::size_t>(wait)]);
    done.push_back(lane(op.lane).post([this, &run, i] { execute(run, i); }, std::move(waits)));
  }
  for (const Event& event : done) event.wait();

  const bool trained = schedule.options.purpose == ScheduleOptions::Purpose::train;
  if (!trained) {
    run.result.loss = place_.units.loss();
    run.failed_ranks = run.failed ? 1 : 0;
  } else if (!run.result.overflow && run.failed_ranks == 0) {
    ++generation_;
  }
  return {run.result, run.failure, run.cut_off, run.failed_ranks};
}

void Executor::execute(Run& run, int index) {
  const Op& op = run.schedule.ops[static_cast<std::size_t>(index)];
  const bool collective = op.communicator >= 0;
  if (collective ? run.cut_off.load() : run.failed.load() && op.kind != OpKind::norm) return;
  try {
    if (before_) before_(run.schedule, index);
    carry_out(run, index);
    if (after_) after_(run.schedule, index);
  } catch (...) {
    if (collective) run.cut_off = true;
    run.fail_with(std::current_exception());
  }
}

void Executor::compute_in_rehearsal(Run& run, int index) {
  const Op& op = run.schedule.ops[static_cast<std::size_t>(index)];
  if (op.kind != OpKind::update) check_slots(run, op);
  rehearsal_.compute(run.schedule, index);
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
    case OpKind::snapshot:
    case OpKind::spill:
      fail(ExitCode::internal, "{} of {}: this executor has no tiers", name_of(op.kind), op.target);
  }
}

void Executor::check_slots(const Run& run, const Op& op) const {
  const UnitFacts& unit = run.schedule.facts.units[static_cast<std::size_t>(op.target)];
  for (const int group : unit.groups)
    if (place_.parameter_slots.has(group))
      place_.parameter_slots.check(group, generation_, place_.blueprint.group(group).name, unit.name);
}

void Executor::gather(Run& run, const Op& op) {
  Channel& channel = *run.channels[static_cast<std::size_t>(op.communicator)];
  const GroupState& from = state(op.target);
  if (rehearsal_.without_collectives) {
    if (op.route != Route::refresh) place_.parameter_slots.filled(op.target, generation_);
    return;
  }
  if (op.route == Route::refresh)
    return channel.gather(from.updated(), from.home(), from.optimizer_elements(), from.stored());
  void* slot = place_.parameter_slots.data(op.target);
  if (op.route == Route::secondary) {
    channel.gather(from.secondary(), slot, from.secondary_elements(), from.stored());
  } else {
    channel.gather(from.home(), slot, from.parameter_elements(), from.stored());
  }
  place_.parameter_slots.filled(op.target, generation_);
}

void Executor::stash(const Op& op) {
  const GroupState& into = state(op.target);
  const auto* whole = static_cast<const std::byte*>(place_.parameter_slots.data(op.target));
  const std::size_t bytes = static_cast<std::size_t>(into.secondary_elements()) * size_of(into.stored());
  std::memcpy(into.secondary(), whole + static_cast<std::size_t>(into.secondary_slice()) * bytes, bytes);
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
        place_.blueprint.layouts[static_cast<std::size_t>(op.target)].clear_padding(whole);
      channel.reduce_scatter(whole, landing, group.gradient_elements());
      if (!first) add(group.gradient(), landing, group.gradient_elements());
      return;
    }
    case Route::rest:
      return channel.reduce_scatter(group.gradient(), group.reduced(), group.optimizer_elements());
    default:
      return channel.all_reduce(group.reduced(), group.optimizer_elements());
  }
}

void Executor::norm(Run& run, const Op& op) {
  // Of the ranks that hold the same slice only the first counts it. Padding is left out: it may hold what
  // another group left in the slot.
  std::array<double, 3> totals{0.0, place_.units.loss(), run.failed ? 1.0 : 0.0};
  for (const GroupState& group : place_.states)
    if (group.optimizer_replica() == 0 && !rehearsal_.compute)
      for (const Piece& piece : group.optimizer_pieces())
        totals[0] += crew_.sum(piece.count, [&](std::int64_t begin, std::int64_t count) {
          return sum_of_squares(group.reduced() + piece.at + begin, count);
        });
  if (op.communicator >= 0 && !rehearsal_.without_collectives)
    run.channels[static_cast<std::size_t>(op.communicator)]->all_reduce(totals);
  run.failed_ranks = static_cast<int>(totals[2]);
  const double scale = 1.0 / run.input.loss_scale;
  run.result.loss = totals[1] * scale;
  run.result.gradient_norm = std::sqrt(totals[0]) * scale;
  run.result.overflow = !std::isfinite(totals[0]) || !std::isfinite(totals[1]);
  run.update_scale = scale;
  if (run.input.max_norm)
    run.update_scale *= std::min(1.0, *run.input.max_norm / (run.result.gradient_norm + norm_margin));
}

void Executor::update(Run& run, const Op& op) {
  if (run.result.overflow || run.failed_ranks > 0) return;
  GroupState& group = state(op.target);
  const ParamGroup& parameters = place_.model.groups[static_cast<std::size_t>(op.target)];
  const auto kinds = place_.optimizer.states();
  const UpdateScalars scalars{run.input.learning_rate, run.update_scale, run.input.step};
  for (const Piece& piece : group.optimizer_pieces())
    crew_.share(
        piece.count,
        [&](std::int64_t begin, std::int64_t count) {
          std::vector<std::byte*> states(kinds.size());
          const std::int64_t at = piece.at + begin;
          for (std::size_t k = 0; k < kinds.size(); ++k)
            states[k] = offset_by(group.state(k), at / kinds[k].elements_each, kinds[k].dtype);
          UpdateRun work;
          work.parameter = &parameters.parameters[static_cast<std::size_t>(piece.parameter)];
          work.begin = piece.begin + begin, work.count = count;
          work.master = group.master() + at, work.gradient = group.reduced() + at;
          work.states = states;
          if (void* copy = group.update_copy())
            work.copy = offset_by(copy, at, group.stored()), work.copy_dtype = group.stored();
          place_.optimizer.update(work, scalars);
        },
        place_.optimizer.granule());
  group.bring_home();
}

void Executor::publish(const Schedule& schedule, const std::vector<Channel*>& channels) {
  const StepInput nothing;
  Run run{schedule, channels, nothing};
  for (const Op& op : schedule.ops) {
    if (op.kind == OpKind::update) {
      GroupState& group = state(op.target);
      if (void* copy = group.update_copy())
        store(group.master(), copy, group.stored(), group.optimizer_elements());
      group.bring_home();
    } else if (op.kind == OpKind::gather && op.route == Route::refresh) {
      gather(run, op);
    }
  }
  ++generation_;
}

}  // namespace trireme::sharding
