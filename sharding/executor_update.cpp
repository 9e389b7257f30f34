#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "sharding/arrays.h"
#include "sharding/executor.h"

namespace trireme::sharding {
namespace {

/// A smaller run of elements is not worth waking threads for; a cut stays at whole cache lines.
constexpr std::int64_t shared_elements = 1 << 16, vector_elements = 64;
/// Gradients of so many stay in a core's cache between two looks at them.
constexpr std::int64_t cached_elements = 1 << 16;

std::vector<Piece> cut(const Piece& piece, const Granule& granule) {
  const std::int64_t unit = std::lcm(granule.elements, vector_elements),
                     each = (cached_elements + unit - 1) / unit * unit;
  std::vector<Piece> parts;
  for (std::int64_t at = 0; at < piece.count; at += each) {
    Piece part = piece;
    part.at += at, part.begin += at, part.count = std::min(each, piece.count - at);
    parts.push_back(part);
  }
  return parts;
}

}  // namespace

/// Padding is left out: it may hold what another group left in the slot.
double Executor::squares_of(const GroupState& group, ArrayLane& arrays) {
  if (arrays.on_device())
    return arrays.sum_of_squares([&](const auto& add) {
      for (const Piece& piece : group.optimizer_pieces()) add(group.reduced() + piece.at, piece.count);
    });
  double total = 0;
  for (const Piece& piece : group.optimizer_pieces())
    total += crew_.sum(piece.count, [&](std::int64_t begin, std::int64_t count) {
      return sum_of_squares(group.reduced() + piece.at + begin, count);
    });
  return total;
}

/// Of the ranks that hold the same slice only the first counts it.
double Executor::squares_of_all(const Run& run, ArrayLane& arrays) {
  std::vector<double> squares(place_.states.size(), 0.0);
  std::vector<std::size_t> left;
  for (std::size_t group = 0; group < squares.size(); ++group) {
    if (place_.states[group].optimizer_replica() != 0) continue;
    if (run.schedule.options.update_when_reduced || run.schedule.lowers(static_cast<int>(group)))
      squares[group] = run.squares[group];
    else if (arrays.on_device())
      left.push_back(group);
    else
      squares[group] = squares_of(place_.states[group], arrays);
  }
  const auto sums = arrays.sums_of_squares(left.size(), [&](std::size_t sum, const auto& add) {
    const GroupState& group = place_.states[left[sum]];
    for (const Piece& piece : group.optimizer_pieces()) add(group.reduced() + piece.at, piece.count);
  });
  for (std::size_t i = 0; i < left.size(); ++i) squares[left[i]] = sums[i];
  return std::accumulate(squares.begin(), squares.end(), 0.0);
}

bool Executor::updates_on_host(int group) const {
  const GroupFacts& facts = place_.blueprint.group(group);
  return !device_ || facts.state_tier != Tier::device || facts.update_parts > 0;
}

/// Where a group is updated before the norm is known, its own gradient decides.
bool Executor::was_updated(const Run& run, int group) const {
  const bool finite = !run.schedule.options.update_when_reduced ||
                      std::isfinite(run.squares[static_cast<std::size_t>(group)]);
  return updates(run) && finite;
}

void Executor::update(Run& run, const Op& op) {
  GroupState& group = state(op.target);
  const UpdateScalars scalars{run.input.learning_rate, run.update_scale, run.input.step};
  if (run.schedule.options.update_when_reduced) {
    double& squares = run.squares[static_cast<std::size_t>(op.target)];
    // A thread that is alone looks at each run just before its update, while it is in the cache.
    const bool looks = !device_ && op.staging < 0 && updates(run) && place_.tiers.team().size() == 1 &&
                       place_.optimizer.granule().kind != Granule::Kind::tensor;
    if (looks) {
      squares = 0;
      for (const Piece& piece : group.optimizer_pieces())
        for (const Piece& part : cut(piece, place_.optimizer.granule())) {
          const double sum = sum_of_squares(group.reduced() + part.at, part.count);
          if (std::isfinite(sum)) update_piece(op, part, scalars);
          squares += sum;
        }
      return group.bring_home(arrays(op));
    }
    if (op.part == 0 && !run.schedule.lowers(op.target)) squares = squares_of(group, arrays(op));
  }
  // The step will have failed where this gradient is not finite: what can still be spared is.
  if (!was_updated(run, op.target)) return;
  for (const Piece& piece : group.optimizer_pieces()) update_piece(op, piece, scalars);
  if (op.staging >= 0) clear_padding(op);
  if (op.part + 1 >= place_.blueprint.group(op.target).update_parts) group.bring_home(arrays(op));
}

/// New parameters go to the drive with what lies between and behind them.
void Executor::clear_padding(const Op& op) {
  const GroupState& group = state(op.target);
  std::byte* parameters = place_.tiers.pipe()->arrived(op.staging).parameters;
  if (!parameters || !place_.tiers.arrays(op.target).master) return;
  const std::int64_t first = op.part * place_.tiers.part_elements();
  const std::int64_t last = std::min(first + place_.tiers.part_elements(), group.optimizer_elements());
  std::int64_t at = first;
  const auto clear_to = [&](std::int64_t end) {
    if (end > at)
      std::memset(offset_by(parameters, at - first, group.stored()), 0,
                  static_cast<std::size_t>(end - at) * size_of(group.stored()));
  };
  for (const Piece& piece : group.optimizer_pieces()) {
    clear_to(std::min(piece.at, last));
    at = std::max(at, piece.at + piece.count);
  }
  clear_to(last);
}

/// What of a piece is in the op's part, shared by the threads.
void Executor::update_piece(const Op& op, const Piece& piece, const UpdateScalars& scalars) {
  const GroupState& group = state(op.target);
  const bool staged = op.staging >= 0;
  const std::int64_t part = place_.tiers.part_elements();
  const std::int64_t first = staged ? op.part * part : 0;
  const std::int64_t last = staged ? first + part : group.optimizer_elements();
  const std::int64_t begin = std::max(piece.at, first), end = std::min(piece.at + piece.count, last);
  if (begin >= end) return;

  const StateArrays& arrays = place_.tiers.arrays(op.target);
  const StagedPart here = staged ? place_.tiers.pipe()->arrived(op.staging) : StagedPart{};
  const bool moves_state = !here.states.empty();
  const std::size_t before = arrays.master ? 1 : 0;
  const auto place = [&](std::size_t kind, std::int64_t at) {
    std::byte* data = moves_state ? here.states[kind] : group.state(kind - before);
    return data + arrays.offset(kind, at - (moves_state ? first : 0));
  };
  const ParamGroup& parameters = place_.model.groups[static_cast<std::size_t>(op.target)];
  const auto described = [&](std::int64_t from, std::int64_t to, std::vector<std::byte*>& states) {
    states.clear();
    for (std::size_t kind = before; kind < arrays.kinds.size(); ++kind) states.push_back(place(kind, from));
    UpdateRun work;
    work.parameter = &parameters.parameters[static_cast<std::size_t>(piece.parameter)];
    work.begin = piece.begin + from - piece.at, work.count = to - from;
    const MasterValues masters = group.masters().from(from);
    void* parameters_here =
        here.parameters ? offset_by(here.parameters, from - first, group.stored()) : nullptr;
    work.master = masters.whole;
    if (moves_state && arrays.master) work.master = reinterpret_cast<float*>(place(0, from));
    if (parameters_here && !arrays.master) work.master = static_cast<float*>(parameters_here);
    work.lower = masters.lower;
    work.gradient = group.applied() + from;
    work.states = states;
    if (parameters_here && arrays.master)
      work.copy = parameters_here, work.copy_dtype = group.stored();
    else if (void* copy = group.update_copy())
      work.copy = offset_by(copy, from, group.stored()), work.copy_dtype = group.stored();
    return work;
  };
  const auto update = [&](const UpdateRun& work) { place_.optimizer.update(work, scalars); };
  const auto run_of = [&](std::int64_t from, std::int64_t to) {
    std::vector<std::byte*> states;
    UpdateRun work = described(from, to, states);
    if (!updates_on_host(op.target)) work.device = &device_->kernels();
    update(work);
  };
  const Granule granule = place_.optimizer.granule();
  if (!updates_on_host(op.target)) return run_of(begin, end);
  const std::int64_t unit =
      granule.kind == Granule::Kind::tensor ? end - begin : std::lcm(granule.elements, vector_elements);
  if (device_) {
    if (!host_updates_) host_updates_ = std::make_unique<HostUpdates>(*device_);
    return host_updates_->update(
        end - begin, unit, {!group.lowered(), !arrays.master && !here.parameters, !here.parameters},
        this->arrays(op), place_.tiers.team(),
        [&](std::int64_t from, std::int64_t to, std::vector<std::byte*>& states) {
          return described(begin + from, begin + to, states);
        },
        update);
  }
  if (granule.kind == Granule::Kind::tensor || end - begin < shared_elements) return run_of(begin, end);
  place_.tiers.team().for_ranges(
      end - begin, unit, [&](std::int64_t from, std::int64_t to) { run_of(begin + from, begin + to); });
}

}  // namespace trireme::sharding
