#include <algorithm>
#include <set>

#include "core/error.h"
#include "sharding/passes/passes.h"

namespace trireme::sharding {
namespace {

class Validator {
 public:
  explicit Validator(const Schedule& schedule)
      : schedule_(schedule),
        slots_(schedule.parameter_slots.bytes.size(), -1),
        homes_(schedule.home_slots.bytes.size(), -1),
        gradients_(schedule.facts.groups.size()),
        forward_(schedule.facts.units.size() * static_cast<std::size_t>(schedule.options.micro_batches), 0),
        device_inputs_(static_cast<std::size_t>(schedule.options.input_depth) + 1, nobody),
        host_inputs_(static_cast<std::size_t>(schedule.host_inputs), nobody) {}

  void run() {
    for (int i = 0; i < static_cast<int>(schedule_.ops.size()); ++i) {
      at_ = i;
      const Op& op = schedule_.ops[static_cast<std::size_t>(i)];
      check_waits(op);
      check_communicator(op);
      step(op);
    }
    check_end();
    check_order_of_accesses();
  }

 private:
  /// Where a group's gradient is on its way through a step.
  struct Gradient {
    bool in_slot = false, in_slice = false, at_optimizer = false, summed = false, updated = false,
         copied = false, refreshed = false, stored = false, on_host = false, applicable = false;
    int backwards = 0, parts = 0;
  };
  enum : std::uint8_t { computed_forward = 1, computed_backward = 2 };

  void expect(bool holds, const char* invariant) const {
    require(holds, "schedule: {}: {}", at_ < 0 ? std::string("at the end") : describe(schedule_, at_),
            invariant);
  }
  bool trains() const { return schedule_.options.purpose == ScheduleOptions::Purpose::train; }
  const GroupFacts& facts(int group) const { return schedule_.facts.groups[static_cast<std::size_t>(group)]; }
  Gradient& gradient(int group) { return gradients_[static_cast<std::size_t>(group)]; }

  void check_waits(const Op& op) const {
    for (const int wait : op.waits) {
      expect(wait >= 0 && wait < at_, "an op waits only for earlier ops");
      expect(schedule_.ops[static_cast<std::size_t>(wait)].lane != op.lane,
             "its own lane is in order anyway");
    }
  }
  /// Each rank runs a lane in the order of this one vector, so a communicator that belongs to one lane sees
  /// the same order everywhere.
  void check_communicator(const Op& op) const {
    if (op.communicator < 0) return;
    expect(op.communicator < static_cast<int>(schedule_.circles.size()), "its communicator exists");
    expect(schedule_.circles[static_cast<std::size_t>(op.communicator)].lane == op.lane,
           "a communicator is used by one lane");
  }

  void step(const Op& op) {
    switch (op.kind) {
      case OpKind::gather:
        return op.route == Route::refresh ? check_refresh(op) : fill_slot(op);
      case OpKind::drop:
        return empty_slot(op);
      case OpKind::stash:
        return stash(op);
      case OpKind::forward:
      case OpKind::backward:
        return compute(op);
      case OpKind::reduce:
        return reduce(op);
      case OpKind::norm:
        return check_norm();
      case OpKind::update:
        return update(op);
      case OpKind::fetch:
        return fetch(op);
      case OpKind::spill:
        return spill(op);
      case OpKind::load:
        expect(!gradient(op.target).updated, "nothing is loaded after its update");
        home_of(op.target) = op.target;
        return;
      case OpKind::store:
        expect(gradient(op.target).refreshed && !gradient(op.target).stored,
               "what is stored was gathered after its update");
        gradient(op.target).stored = true;
        return;
      case OpKind::snapshot:
        expect(gradient(op.target).parts == 0, "what is copied was not updated yet");
        gradient(op.target).copied = true;
        return;
      case OpKind::park:
        expect(input_at(device_inputs_, op.staging) == key_of(op), "an input is parked after its forward");
        expect(input_at(host_inputs_, op.part) == nobody, "what was parked there is back");
        device_inputs_[static_cast<std::size_t>(op.staging)] = nobody;
        host_inputs_[static_cast<std::size_t>(op.part)] = key_of(op);
        return;
      case OpKind::recall:
        expect(input_at(host_inputs_, op.part) == key_of(op), "what is recalled was parked");
        expect(input_at(device_inputs_, op.staging) == nobody, "there is room for what is recalled");
        host_inputs_[static_cast<std::size_t>(op.part)] = nobody;
        device_inputs_[static_cast<std::size_t>(op.staging)] = key_of(op);
        return;
      case OpKind::lower:
        return lower(op);
      case OpKind::lift:
        return lift(op);
    }
  }

  int& slot_of(int group) {
    const int slot = schedule_.parameter_slots.of_group[static_cast<std::size_t>(group)];
    expect(slot >= 0, "the group has a slot");
    return slots_[static_cast<std::size_t>(slot)];
  }
  int& home_of(int group) {
    const int slot = schedule_.home_slots.of_group[static_cast<std::size_t>(group)];
    expect(slot >= 0, "parameters on NVMe have a slot");
    return homes_[static_cast<std::size_t>(slot)];
  }
  void expect_home(int group) {
    if (facts(group).on_drive())
      expect(home_of(group) == group, "parameters on NVMe are loaded when they are wanted");
  }
  void stash(const Op& op) {
    expect(slot_of(op.target) == op.target, "what is stashed is in its slot");
    stashed_.insert(op.target);
  }
  void fill_slot(const Op& op) {
    int& slot = slot_of(op.target);
    if (op.route == Route::secondary)
      expect(stashed_.contains(op.target), "a secondary copy is made before it is gathered");
    else
      expect_home(op.target);
    expect(slot == -1, "a slot is dropped before it is filled again");
    expect(!gradient(op.target).updated, "nothing is gathered after its update");
    slot = op.target;
  }
  void empty_slot(const Op& op) {
    int& slot = slot_of(op.target);
    expect(slot == op.target, "what is dropped is there");
    slot = -1;
  }

  void compute(const Op& op) {
    const UnitFacts& unit = schedule_.facts.units[static_cast<std::size_t>(op.target)];
    auto& done = forward_[static_cast<std::size_t>(op.micro_batch) * schedule_.facts.units.size() +
                          static_cast<std::size_t>(op.target)];
    const bool forward = op.kind == OpKind::forward;
    expect(done == (forward ? 0 : computed_forward),
           "each unit goes forward and then back once for each micro-batch");
    done |= forward ? computed_forward : computed_backward;
    if (op.staging >= 0) {
      auto& place = input_at(device_inputs_, op.staging);
      expect(place == (forward ? nobody : key_of(op)),
             "a recalled input is there, and a parked one has room");
      place = forward ? key_of(op) : nobody;
    }
    for (std::size_t i = 0; i < unit.groups.size(); ++i) {
      const int group = unit.groups[i];
      if (!schedule_.facts.reads_weights(op))
        expect(unit.keeps_little, "what backward needs of weights was kept");
      else if (facts(group).parameters > 1)
        expect(slot_of(group) == group, "parameters are gathered when they are computed with");
      else
        expect_home(group);
      if (!forward && facts(group).trainable) accumulate(group, (op.overwrite >> i & 1) != 0);
    }
  }
  /// A unit and a micro-batch.
  using Key = std::pair<int, int>;
  static constexpr Key nobody{-1, -1};
  static Key key_of(const Op& op) { return {op.target, op.micro_batch}; }
  Key& input_at(std::vector<Key>& places, int place) const {
    expect(place >= 0 && place < static_cast<int>(places.size()), "its place exists");
    return places[static_cast<std::size_t>(place)];
  }
  void accumulate(int group, bool overwrite) {
    Gradient& state = gradient(group);
    const int slot = schedule_.gradient_slots.of_group[static_cast<std::size_t>(group)];
    expect((slot >= 0) == (facts(group).gradients > 1), "whole gradients that are split later have a slot");
    bool& there = slot >= 0 ? state.in_slot : state.in_slice;
    if (slot < 0) take_slice(group);
    expect(overwrite == !there, "the first gradient is written and later ones are added");
    expect(!state.at_optimizer && !state.summed, "no gradient comes after the last reduction");
    if (slot >= 0) {
      for (std::size_t other = 0; other < gradients_.size(); ++other)
        if (static_cast<int>(other) != group && schedule_.gradient_slots.of_group[other] == slot)
          expect(!gradients_[other].in_slot, "a gradient slot is reduced before another group takes it");
    }
    there = true;
    ++state.backwards;
  }

  void take_slice(int group) {
    const auto& slots = schedule_.slice_slots.of_group;
    const int slot = slots[static_cast<std::size_t>(group)];
    expect((slot >= 0) == (schedule_.options.gradients_vanish() || schedule_.lowers(group)),
           "gradients that vanish or go to the host have slots");
    expect(!gradient(group).on_host, "a gradient is back before it is added to");
    for (std::size_t other = 0; slot >= 0 && other < gradients_.size(); ++other)
      if (static_cast<int>(other) != group && slots[other] == slot)
        expect(!gradients_[other].in_slice || gradients_[other].updated || gradients_[other].on_host,
               "a gradient is applied or on the host before another group takes its memory");
  }
  void lower(const Op& op) {
    Gradient& state = gradient(op.target);
    expect(schedule_.lowers(op.target) && state.in_slice && !state.on_host, "what goes to the host is there");
    expect(op.part == 0 || reduced(op.target), "what is complete was reduced");
    state.on_host = true, state.applicable = op.part == 1;
  }
  void lift(const Op& op) {
    Gradient& state = gradient(op.target);
    expect(state.on_host && !state.applicable, "what comes back is not complete");
    state.on_host = false;
    take_slice(op.target);
  }

  void reduce(const Op& op) {
    Gradient& state = gradient(op.target);
    switch (op.route) {
      case Route::span:
        expect(state.in_slot, "there is a gradient to reduce");
        expect((op.overwrite == 1) == !state.in_slice, "the first slice is written and later ones are added");
        take_slice(op.target);
        state.in_slot = false, state.in_slice = true;
        return;
      case Route::rest:
        expect(state.in_slice && !state.in_slot && !state.at_optimizer && !state.on_host,
               "a slice is complete before it goes to the optimizer");
        state.at_optimizer = true;
        return;
      case Route::replicas:
        expect(state.in_slice && !state.in_slot && !state.summed && !state.on_host,
               "a slice is complete before replicas are summed");
        expect(state.at_optimizer == (facts(op.target).optimizer > facts(op.target).gradients),
               "replicas sum the optimizer's slice");
        state.summed = true;
        return;
      default:
        expect(false, "a reduction has a route");
    }
  }

  void check_norm() {
    for (std::size_t group = 0; group < gradients_.size(); ++group)
      if (facts(static_cast<int>(group)).trainable)
        expect(complete(static_cast<int>(group)), "the norm is of complete gradients");
    normed_ = true;
  }
  bool complete(int group) { return reduced(group) && gradient(group).applicable == schedule_.lowers(group); }
  bool reduced(int group) {
    const Gradient& state = gradient(group);
    const GroupFacts& at = facts(group);
    return state.in_slice && !state.in_slot && state.at_optimizer == (at.optimizer > at.gradients) &&
           state.summed == (schedule_.facts.world > at.optimizer);
  }
  void update(const Op& op) {
    Gradient& state = gradient(op.target);
    if (schedule_.options.update_when_reduced) {
      expect(complete(op.target), "an update has a complete gradient");
    } else {
      expect(normed_, "the norm is known before an update");
    }
    expect(state.copied, "a copy could be made before an update");
    expect(!state.updated && op.part == state.parts, "each part of a group is updated once, in order");
    const int parts = std::max(facts(op.target).update_parts, 1);
    expect((op.staging >= 0) == (facts(op.target).update_parts > 0), "state on NVMe goes through a buffer");
    if (op.staging >= 0) {
      Staged& staged = staging(op);
      expect(staged.group == op.target && staged.part == op.part && !staged.updated,
             "what is updated is in its buffer");
      staged.updated = true;
    }
    state.updated = ++state.parts == parts;
  }
  /// A part of a group's state in a buffer of the ring.
  struct Staged {
    int group = -1, part = 0;
    bool updated = false;
  };
  Staged& staging(const Op& op) {
    expect(op.staging >= 0 && op.staging < schedule_.options.parts_in_memory, "its buffer exists");
    staging_.resize(static_cast<std::size_t>(schedule_.options.parts_in_memory));
    return staging_[static_cast<std::size_t>(op.staging)];
  }
  void fetch(const Op& op) {
    Staged& staged = staging(op);
    expect(staged.group < 0, "a buffer is spilled before it is filled again");
    staged = {op.target, op.part, false};
  }
  void spill(const Op& op) {
    Staged& staged = staging(op);
    expect(staged.group == op.target && staged.part == op.part && staged.updated,
           "what is spilled was updated");
    staged = {};
  }
  void check_refresh(const Op& op) {
    expect(gradient(op.target).updated, "parameters are refreshed after their update");
    gradient(op.target).refreshed = true;
  }

  void check_end() {
    at_ = -1;
    for (const auto done : forward_)
      expect(done == (trains() ? 3 : 1), "every unit has computed every micro-batch");
    for (const Staged& staged : staging_) expect(staged.group < 0, "every buffer was spilled");
    for (const auto* places : {&device_inputs_, &host_inputs_})
      for (const Key& key : *places) expect(key == nobody, "every parked input is back and used");
    if (!trains()) return;
    expect(normed_, "a step has a norm");
    for (int group = 0; group < static_cast<int>(gradients_.size()); ++group) {
      const GroupFacts& at = facts(group);
      if (!at.trainable) continue;
      expect(gradient(group).updated, "every trained group is updated");
      const bool refreshes = at.optimizer > at.parameters;
      expect(gradient(group).refreshed == refreshes, "updated parameters reach every rank that holds them");
      expect(gradient(group).stored == (refreshes && at.on_drive()),
             "refreshed parameters reach the drive that holds them");
    }
  }

  /// Whatever the lanes' speeds: a reader runs after the writer before it and before the writer after it.
  void check_order_of_accesses() {
    const auto clocks = passes::clocks_of(schedule_);
    const auto happens_before = [&](int first, int second) {
      return clocks[static_cast<std::size_t>(second)]
                   [static_cast<std::size_t>(schedule_.ops[static_cast<std::size_t>(first)].lane)] >= first;
    };
    std::vector<int> writer(static_cast<std::size_t>(passes::resource_count(schedule_)), -1);
    std::vector<std::vector<int>> readers(writer.size());
    for (int i = 0; i < static_cast<int>(schedule_.ops.size()); ++i) {
      at_ = i;
      const auto accesses = passes::accesses_of(schedule_, schedule_.ops[static_cast<std::size_t>(i)]);
      for (const auto& resource : accesses.reads) {
        const auto r = static_cast<std::size_t>(passes::index_of(schedule_, resource));
        if (writer[r] >= 0) expect(happens_before(writer[r], i), "it runs after what writes its input");
        readers[r].push_back(i);
      }
      for (const auto& resource : accesses.writes) {
        const auto r = static_cast<std::size_t>(passes::index_of(schedule_, resource));
        if (writer[r] >= 0) expect(happens_before(writer[r], i), "it runs after what wrote there before");
        for (const int reader : readers[r])
          if (reader != i)
            expect(happens_before(reader, i), "it runs after the readers of what it overwrites");
        writer[r] = i;
        readers[r].clear();
      }
    }
  }

  const Schedule& schedule_;
  int at_ = -1;
  std::vector<int> slots_, homes_;
  std::vector<Gradient> gradients_;
  std::vector<std::uint8_t> forward_;
  std::vector<Staged> staging_;
  std::vector<Key> device_inputs_, host_inputs_;
  std::set<int> stashed_;
  bool normed_ = false;
};

}  // namespace

void validate(const Schedule& schedule) {
  Validator(schedule).run();
}

}  // namespace trireme::sharding
