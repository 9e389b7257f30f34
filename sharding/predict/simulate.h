#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "sharding/schedule.h"

namespace trireme::sharding {

/// What an op occupies beside its lane. Ops that occupy the same at the same time share its rate. The link
/// between a host and its device moves both ways at once.
enum class Carrier : std::uint8_t { none, inside_node, across_nodes, host_to_device, device_to_host, nvme };
constexpr int carrier_count = 6;

/// How long an op takes when it has all to itself: a delay that nothing shortens or shares, then work.
struct OpCost {
  double delay_s = 0;
  double work_s = 0;
  Carrier carrier = Carrier::none;
  /// Between the two, what the rank's cores do for the op: encoding, decoding, narrowing.
  double cores_s = 0;
  /// A collective across nodes takes 1 + this times as long while its rank computes.
  double beside_compute = 0;
  double seconds() const { return delay_s + cores_s + work_s; }
};

/// How a machine slows what runs at the same time.
struct Sharing {
  /// Computation takes 1 + this times as long while a collective runs.
  double compute_beside_collective = 0;
  /// An update beside computation takes half of its cores, and a collective inside a node does too.
  bool lanes_share_cores = false;
};

struct Interval {
  double begin_s = 0, end_s = 0;
  double seconds() const { return end_s - begin_s; }
};

/// When each op of a schedule runs, predicted or measured.
struct Timeline {
  std::vector<Interval> ops;
  double step_s() const;
};

/// Runs the schedule in thought: lanes are queues in order, an op begins when its lane is free and its waits
/// are done, and ops on one carrier share it.
Timeline simulate(const Schedule& schedule, const std::vector<OpCost>& costs, const Sharing& sharing = {});

/// The time that each lane is occupied.
std::array<double, lane_count> occupancy(const Schedule& schedule, const Timeline& timeline);
/// The time in which collectives run and nothing computes.
double exposed_communication(const Schedule& schedule, const Timeline& timeline);
/// The ops that leave no gap from the step's begin to its end, in order: each begins because the one before
/// it ended.
std::vector<int> critical_path(const Schedule& schedule, const Timeline& timeline);

bool is_communication(const Op& op);

}  // namespace trireme::sharding
