#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "sharding/predict/memory.h"
#include "sharding/predict/simulate.h"
#include "tests/sharding/random_schedules.h"

namespace trireme::sharding {
namespace {

constexpr int rounds = 10000;
constexpr double slack = 1e-9;

std::size_t index_of(int number) {
  return static_cast<std::size_t>(number);
}

std::vector<OpCost> random_costs(std::mt19937& random, const Schedule& schedule) {
  const auto tenths = [&](unsigned most) { return 0.1 * static_cast<double>(random() % most); };
  std::vector<OpCost> costs;
  for (const Op& op : schedule.ops) {
    Carrier carrier = Carrier::none;
    if (is_communication(op)) carrier = random() % 2 ? Carrier::inside_node : Carrier::across_nodes;
    if (op.lane == OpLane::nvme) carrier = Carrier::nvme;
    costs.push_back({tenths(3), tenths(10), carrier});
  }
  return costs;
}

/// The longest chain of ops that wait for one another or for their lane, each as long as it takes alone.
double longest_chain(const Schedule& schedule, const std::vector<OpCost>& costs) {
  std::vector<double> end(schedule.ops.size());
  std::array<double, lane_count> lane{};
  for (std::size_t i = 0; i < schedule.ops.size(); ++i) {
    const Op& op = schedule.ops[i];
    double& free = lane[static_cast<std::size_t>(op.lane)];
    double begin = free;
    for (const int wait : op.waits) begin = std::max(begin, end[index_of(wait)]);
    free = end[i] = begin + costs[i].seconds();
  }
  return end.empty() ? 0 : *std::max_element(end.begin(), end.end());
}

/// No unit computes before all that it reads has been gathered, and none of it is overwritten before it is
/// done.
void expect_slots_hold_what_is_read(const Schedule& schedule, const Timeline& timeline) {
  struct Slot {
    int group = -1;
    double filled = 0, read = 0;
  };
  std::vector<Slot> slots(schedule.parameter_slots.bytes.size());
  for (std::size_t i = 0; i < schedule.ops.size(); ++i) {
    const Op& op = schedule.ops[i];
    const Interval& when = timeline.ops[i];
    if (op.kind == OpKind::gather && op.route != Route::refresh) {
      Slot& slot = slots[index_of(schedule.parameter_slots.of_group[index_of(op.target)])];
      ASSERT_GE(when.begin_s, slot.read - slack);
      slot = {op.target, when.end_s, when.end_s};
    }
    if (op.kind != OpKind::forward && op.kind != OpKind::backward) continue;
    if (!schedule.facts.reads_weights(op)) continue;
    for (const int group : schedule.facts.units[index_of(op.target)].groups) {
      const int number = schedule.parameter_slots.of_group[index_of(group)];
      if (number < 0) continue;
      Slot& slot = slots[index_of(number)];
      ASSERT_EQ(slot.group, group);
      ASSERT_GE(when.begin_s, slot.filled - slack);
      slot.read = std::max(slot.read, when.end_s);
    }
  }
}

TEST(SimulatedSchedules, TakeNoLessThanTheirLongestChainTheirLanesAndTheirLinks) {
  std::mt19937 random(11);
  for (int round = 0; round < rounds; ++round) {
    const RandomCase made = random_case(random);
    const Schedule schedule = build_schedule(made.facts, made.options);
    std::vector<OpCost> costs = random_costs(random, schedule);
    const Timeline timeline = simulate(schedule, costs, {.compute_beside_collective = 0.2});
    const double step = timeline.step_s(), chain = longest_chain(schedule, costs);
    ASSERT_GE(step, chain - slack) << "round " << round;
    std::array<double, lane_count> lanes{};
    std::array<double, carrier_count> carried{};
    for (std::size_t i = 0; i < costs.size(); ++i) {
      lanes[static_cast<std::size_t>(schedule.ops[i].lane)] += costs[i].seconds();
      carried[static_cast<std::size_t>(costs[i].carrier)] += costs[i].work_s;
    }
    for (const double busy : lanes) ASSERT_GE(step, busy - slack) << "round " << round;
    for (std::size_t link = 1; link < carried.size(); ++link)
      ASSERT_GE(step, carried[link] - slack) << "round " << round;
    expect_slots_hold_what_is_read(schedule, timeline);
    if (HasFatalFailure()) return;

    for (OpCost& cost : costs) cost.carrier = Carrier::none;
    ASSERT_NEAR(simulate(schedule, costs).step_s(), chain, 1e-6) << "round " << round;
  }
}

std::vector<UnitWork> random_work(std::mt19937& random, std::size_t units) {
  const auto bytes = [&] { return static_cast<std::uint64_t>(random() % 1000); };
  std::vector<UnitWork> works(units);
  std::uint64_t input = 0;
  for (UnitWork& work : works) {
    work.input_bytes = input;
    work.output_bytes = input = &work == &works.back() ? 0 : bytes();
    work.kept_bytes = 1000 + bytes(), work.attention_bytes = bytes();
    work.forward_bytes = bytes(), work.backward_bytes = bytes();
  }
  return works;
}

/// What is there while each unit computes: each thing is counted from where it is made to where it was last
/// needed.
std::uint64_t counted_peak(const Schedule& schedule, const std::vector<UnitWork>& work) {
  const bool train = schedule.options.purpose == ScheduleOptions::Purpose::train;
  std::vector<const Op*> order;
  std::map<std::pair<int, int>, std::size_t> forward_at, backward_at;
  // When each of the device's places for inputs that move is given to another input.
  std::map<int, std::map<std::size_t, std::uint64_t>> given;
  std::set<std::pair<int, int>> parked;
  for (const Op& op : schedule.ops) {
    const bool moves = op.kind == OpKind::recall || (op.kind == OpKind::forward && op.staging >= 0);
    if (moves) given[op.staging][order.size()] = work[index_of(op.target)].input_bytes;
    if (op.kind == OpKind::backward && op.staging >= 0) given[op.staging][order.size() + 1] = 0;
    if (op.kind == OpKind::park) parked.insert({op.target, op.micro_batch});
    if (op.kind != OpKind::forward && op.kind != OpKind::backward) continue;
    (op.kind == OpKind::forward ? forward_at : backward_at)[{op.target, op.micro_batch}] = order.size();
    order.push_back(&op);
  }
  std::vector<std::uint64_t> there(order.size(), 0);
  const auto count = [&](std::size_t from, std::size_t to, std::uint64_t bytes) {
    for (std::size_t at = from; at <= to; ++at) there[at] += bytes;
  };
  for (const auto& [key, made] : forward_at) {
    const auto& [unit, micro_batch] = key;
    const UnitWork& works = work[index_of(unit)];
    const auto next = forward_at.find({unit + 1, micro_batch});
    const std::size_t needed = train                      ? backward_at.at(key)
                               : next != forward_at.end() ? next->second
                                                          : order.size() - 1;
    if (parked.contains({unit + 1, micro_batch})) {
      // Its gradient is there once the unit that it is given to has gone back.
      count(made, next->second - 1, works.output_bytes);
      count(backward_at.at(next->first) + 1, needed, works.output_bytes);
    } else {
      count(made, needed, works.output_bytes);
    }
    count(made, made, works.forward_bytes);
    if (!train) continue;
    const bool keep = order[made]->keep;
    if (keep) count(made, needed, works.kept_bytes);
    if (!keep && schedule.options.activations == Activations::recomputed_except_attention) {
      count(made, needed, works.attention_bytes);
      count(needed, needed, works.kept_bytes - works.attention_bytes);
    } else if (!keep) {
      count(needed, needed, works.kept_bytes);
    }
    // An output that is made again takes the place of the one that was made first.
    count(needed, needed, works.backward_bytes + works.input_bytes + works.output_bytes);
  }
  for (const auto& [place, moments] : given)
    for (auto moment = moments.begin(); moment != moments.end(); ++moment) {
      const auto until = std::next(moment) == moments.end() ? order.size() : std::next(moment)->first;
      if (moment->first < until) count(moment->first, until - 1, moment->second);
    }
  return there.empty() ? 0 : *std::max_element(there.begin(), there.end());
}

TEST(SimulatedSchedules, PeakOfActivationsIsThatOfAnIndependentCount) {
  std::mt19937 random(12);
  for (int round = 0; round < rounds; ++round) {
    const RandomCase made = random_case(random);
    const Schedule schedule = build_schedule(made.facts, made.options);
    ModelWork work;
    work.units = random_work(random, made.facts.units.size());
    ASSERT_EQ(activation_peak(schedule, work).bytes(), counted_peak(schedule, work.units))
        << "round " << round;
  }
}

/// A rank that carries a schedule out: its lanes take ops in order, and a collective ends when all ranks are
/// in it.
struct PlayedRank {
  std::array<std::vector<int>, lane_count> queues;
  std::array<std::size_t, lane_count> next{};
  std::vector<char> done;
  std::map<int, std::vector<int>> entered;

  explicit PlayedRank(const Schedule& schedule) : done(schedule.ops.size(), 0) {
    for (std::size_t i = 0; i < schedule.ops.size(); ++i)
      queues[static_cast<std::size_t>(schedule.ops[i].lane)].push_back(static_cast<int>(i));
  }
  /// The op at the head of a lane, if all that it waits for is done.
  int ready(const Schedule& schedule, std::size_t lane) const {
    if (next[lane] >= queues[lane].size()) return -1;
    const int op = queues[lane][next[lane]];
    const auto& waits = schedule.ops[index_of(op)].waits;
    return std::all_of(waits.begin(), waits.end(), [&](int wait) { return done[index_of(wait)] != 0; }) ? op
                                                                                                        : -1;
  }
  void finish(int op, std::size_t lane) { done[index_of(op)] = 1, ++next[lane]; }
};

/// All ranks take part in all collectives here, which only makes them wait for more than they will.
TEST(SimulatedSchedules, RanksAtAnyPaceMeetInTheSameOrderAndNeverStandStill) {
  std::mt19937 random(13);
  for (int round = 0; round < rounds; ++round) {
    const RandomCase made = random_case(random);
    const Schedule schedule = build_schedule(made.facts, made.options);
    std::vector<PlayedRank> ranks(3, PlayedRank(schedule));
    std::size_t left = ranks.size() * schedule.ops.size();
    std::map<int, std::vector<int>> inside;  // the ranks that wait in a collective, by op
    const auto play = [&](std::size_t r, std::size_t lane) {
      const int op = ranks[r].ready(schedule, lane);
      if (op < 0) return false;
      const int communicator = schedule.ops[index_of(op)].communicator;
      if (communicator < 0) {
        ranks[r].finish(op, lane);
        --left;
        return true;
      }
      if (schedule.circles[index_of(communicator)].lane != schedule.ops[index_of(op)].lane)
        ADD_FAILURE() << "a communicator on two lanes";
      auto& waiting = inside[op];
      if (std::find(waiting.begin(), waiting.end(), static_cast<int>(r)) != waiting.end()) return false;
      ranks[r].entered[communicator].push_back(op);
      waiting.push_back(static_cast<int>(r));
      if (waiting.size() < ranks.size()) return true;
      for (PlayedRank& rank : ranks) rank.finish(op, lane);
      left -= ranks.size();
      return true;
    };
    while (left > 0) {
      // From a place picked at random, so that each rank runs at a pace of its own.
      constexpr std::size_t places = 3 * lane_count;
      const std::size_t first = random() % places;
      bool moved = false;
      for (std::size_t i = 0; i < places && !moved; ++i)
        moved = play((first + i) % places / lane_count, (first + i) % lane_count);
      ASSERT_TRUE(moved) << "all ranks wait, round " << round;
    }
    for (const PlayedRank& rank : ranks) ASSERT_EQ(rank.entered, ranks.front().entered) << "round " << round;
  }
}

TEST(SimulatedSchedules, ASeventyBillionModelsScheduleForSixteenThousandRanksIsSimulatedToo) {
  ScheduleFacts facts;
  facts.world = 16384;
  for (int unit = 0; unit < 82; ++unit) {
    GroupFacts group;
    group.name = "unit";
    group.elements = std::uint64_t{16384} * 52224, group.element_bytes = 2;
    group.parameters = group.gradients = group.optimizer = facts.world;
    group.secondary = 8;
    facts.groups.push_back(group);
    facts.units.push_back({"unit", {unit}});
  }
  const Schedule schedule =
      build_schedule(facts, {.micro_batches = 4, .activations = Activations::recomputed});
  ASSERT_NO_THROW(validate(schedule));
  std::mt19937 random(14);
  const auto costs = random_costs(random, schedule);
  EXPECT_GE(simulate(schedule, costs).step_s(), longest_chain(schedule, costs) - slack);
}

}  // namespace
}  // namespace trireme::sharding
