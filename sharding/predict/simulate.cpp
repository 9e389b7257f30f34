#include "sharding/predict/simulate.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.h"

namespace trireme::sharding {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double instant = 1e-12;

std::size_t lane_of(const Op& op) {
  return static_cast<std::size_t>(op.lane);
}

/// All lanes at one moment. Between two moments nothing begins or ends, so every rate is constant.
class Simulation {
 public:
  Simulation(const Schedule& schedule, const std::vector<OpCost>& costs, const Sharing& sharing)
      : schedule_(schedule), costs_(costs), sharing_(sharing), done_(schedule.ops.size(), 0) {
    timeline_.ops.resize(schedule.ops.size());
    for (std::size_t i = 0; i < schedule.ops.size(); ++i)
      queues_[lane_of(schedule.ops[i])].push_back(static_cast<int>(i));
  }

  Timeline run() {
    std::size_t left = schedule_.ops.size();
    while (left > 0) {
      while (begin_ready_ops()) left -= end_finished_ops();
      if (left == 0) break;
      const double step = next_change();
      require(step < never, "the schedule waits for itself");
      advance(step);
      left -= end_finished_ops();
    }
    return std::move(timeline_);
  }

 private:
  struct Active {
    int op = -1;
    double delay = 0, cores = 0, work = 0;
    bool on_cores() const { return delay <= 0 && cores > 0; }
    bool on_carrier() const { return delay <= 0 && cores <= 0; }
  };

  bool ready(const Op& op) const {
    return std::all_of(op.waits.begin(), op.waits.end(),
                       [&](int wait) { return done_[static_cast<std::size_t>(wait)] != 0; });
  }
  /// Whether one began that takes no time at all, so that others may be ready now.
  bool begin_ready_ops() {
    bool any_instant = false;
    for (std::size_t lane = 0; lane < active_.size(); ++lane) {
      auto& next = next_[lane];
      if (active_[lane].op >= 0 || next >= queues_[lane].size()) continue;
      const int index = queues_[lane][next];
      if (!ready(schedule_.ops[static_cast<std::size_t>(index)])) continue;
      const OpCost& cost = costs_[static_cast<std::size_t>(index)];
      active_[lane] = {index, cost.delay_s, cost.cores_s, cost.work_s};
      timeline_.ops[static_cast<std::size_t>(index)].begin_s = now_;
      ++next;
      any_instant |= cost.seconds() <= instant;
    }
    return any_instant;
  }

  const Op& op_of(const Active& active) const { return schedule_.ops[static_cast<std::size_t>(active.op)]; }
  const OpCost& cost_of(const Active& active) const { return costs_[static_cast<std::size_t>(active.op)]; }
  Carrier carrier_of(const Active& active) const { return cost_of(active).carrier; }
  /// Computes, updates, encodes or copies between the ranks of a node.
  bool wants_cores(const Active& active) const {
    if (!sharing_.lanes_share_cores) return false;
    if (active.on_cores()) return true;
    if (carrier_of(active) == Carrier::across_nodes) return false;
    const OpLane lane = op_of(active).lane;
    return lane == OpLane::compute || lane == OpLane::cpu_update || lane == OpLane::host_to_device ||
           lane == OpLane::device_to_host || is_communication(op_of(active));
  }
  bool computes() const {
    return std::any_of(active_.begin(), active_.end(), [&](const Active& other) {
      return other.op >= 0 && op_of(other).lane == OpLane::compute;
    });
  }
  template <typename Alike>
  double share_among(const Alike& alike) const {
    const auto beside = std::count_if(active_.begin(), active_.end(), [&](const Active& other) {
      return other.op >= 0 && other.delay <= 0 && alike(other);
    });
    return 1.0 / static_cast<double>(std::max<std::ptrdiff_t>(beside, 1));
  }
  double rate(const Active& active) const {
    const Carrier carrier = carrier_of(active);
    double share = 1.0;
    if (wants_cores(active)) share = share_among([this](const Active& other) { return wants_cores(other); });
    if (active.on_cores()) return share;
    if (carrier != Carrier::none) {
      if (carrier == Carrier::across_nodes && computes()) share /= 1.0 + cost_of(active).beside_compute;
      return std::min(share, share_among([&](const Active& other) {
                        return other.on_carrier() && carrier_of(other) == carrier;
                      }));
    }
    if (op_of(active).lane != OpLane::compute) return share;
    const bool collective = std::any_of(active_.begin(), active_.end(), [&](const Active& other) {
      return other.op >= 0 && is_communication(op_of(other)) && !wants_cores(other);
    });
    return collective ? share / (1.0 + sharing_.compute_beside_collective) : share;
  }
  double next_change() const {
    double least = never;
    for (const Active& active : active_) {
      if (active.op < 0) continue;
      const double left = active.on_cores() ? active.cores : active.work;
      least = std::min(least, active.delay > 0 ? active.delay : left / rate(active));
    }
    return least;
  }
  void advance(double step) {
    std::array<double, lane_count> rates{};
    for (std::size_t lane = 0; lane < active_.size(); ++lane)
      if (active_[lane].op >= 0) rates[lane] = rate(active_[lane]);
    for (std::size_t lane = 0; lane < active_.size(); ++lane) {
      Active& active = active_[lane];
      if (active.op < 0) continue;
      const auto less = [](double left, double by) { return left - by <= instant ? 0 : left - by; };
      if (active.delay > 0) {
        active.delay = less(active.delay, step);
      } else if (active.cores > 0) {
        active.cores = less(active.cores, step * rates[lane]);
      } else {
        active.work -= step * rates[lane];
      }
    }
    now_ += step;
  }
  std::size_t end_finished_ops() {
    std::size_t ended = 0;
    for (Active& active : active_) {
      if (active.op < 0 || active.delay > 0 || active.cores > 0 || active.work > instant) continue;
      done_[static_cast<std::size_t>(active.op)] = 1;
      timeline_.ops[static_cast<std::size_t>(active.op)].end_s = now_;
      active.op = -1;
      ++ended;
    }
    return ended;
  }

  const Schedule& schedule_;
  const std::vector<OpCost>& costs_;
  const Sharing& sharing_;
  std::vector<char> done_;
  std::array<std::vector<int>, lane_count> queues_;
  std::array<std::size_t, lane_count> next_{};
  std::array<Active, lane_count> active_;
  double now_ = 0;
  Timeline timeline_;
};

}  // namespace

bool is_communication(const Op& op) {
  return op.communicator >= 0;
}

double Timeline::step_s() const {
  double end = 0;
  for (const Interval& op : ops) end = std::max(end, op.end_s);
  return end;
}

Timeline simulate(const Schedule& schedule, const std::vector<OpCost>& costs, const Sharing& sharing) {
  require(costs.size() == schedule.ops.size(), "{} costs for {} ops", costs.size(), schedule.ops.size());
  return Simulation(schedule, costs, sharing).run();
}

std::array<double, lane_count> occupancy(const Schedule& schedule, const Timeline& timeline) {
  std::array<double, lane_count> busy{};
  for (std::size_t i = 0; i < schedule.ops.size(); ++i)
    busy[lane_of(schedule.ops[i])] += timeline.ops[i].seconds();
  return busy;
}

double exposed_communication(const Schedule& schedule, const Timeline& timeline) {
  struct Edge {
    double at;
    int collectives, computations;
  };
  std::vector<Edge> edges;
  for (std::size_t i = 0; i < schedule.ops.size(); ++i) {
    const int collective = is_communication(schedule.ops[i]) ? 1 : 0;
    edges.push_back({timeline.ops[i].begin_s, collective, 1 - collective});
    edges.push_back({timeline.ops[i].end_s, -collective, collective - 1});
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
  double exposed = 0, last = 0;
  int collectives = 0, computations = 0;
  for (const Edge& edge : edges) {
    if (collectives > 0 && computations == 0) exposed += edge.at - last;
    collectives += edge.collectives, computations += edge.computations;
    last = edge.at;
  }
  return exposed;
}

std::vector<int> critical_path(const Schedule& schedule, const Timeline& timeline) {
  std::vector<int> before_on_lane(schedule.ops.size(), -1), path;
  std::array<int, lane_count> last_on_lane;
  last_on_lane.fill(-1);
  int at = -1;
  for (int i = 0; i < static_cast<int>(schedule.ops.size()); ++i) {
    const auto index = static_cast<std::size_t>(i);
    before_on_lane[index] = std::exchange(last_on_lane[lane_of(schedule.ops[index])], i);
    if (at < 0 || timeline.ops[index].end_s > timeline.ops[static_cast<std::size_t>(at)].end_s) at = i;
  }
  while (at >= 0) {
    path.push_back(at);
    const auto index = static_cast<std::size_t>(at);
    int cause = before_on_lane[index];
    for (const int wait : schedule.ops[index].waits)
      if (cause < 0 || timeline.ops[static_cast<std::size_t>(wait)].end_s >
                           timeline.ops[static_cast<std::size_t>(cause)].end_s)
        cause = wait;
    at = cause;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace trireme::sharding
