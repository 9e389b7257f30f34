#include "train/saved_state.h"

#include <algorithm>
#include <boost/json.hpp>

#include <fmt/format.h>

namespace trireme::train {

namespace json = boost::json;
using sharding::StateSlice;

std::string tensor_name(const StateSlice& slice) {
  return slice.state == "parameter" ? "model/" + slice.parameter->name
                                    : fmt::format("optimizer/{}/{}", slice.state, slice.parameter->name);
}

std::vector<StateSlice> trained_slices(sharding::Engine& engine) {
  std::vector<StateSlice> slices;
  engine.for_each_slice([&](const StateSlice& slice) {
    if (slice.trainable && slice.count > 0) slices.push_back(slice);
  });
  return slices;
}

std::vector<std::int64_t> shape_of(const StateSlice& slice) {
  if (slice.elements_each == 1) return slice.parameter->shape;
  return {(sharding::element_count(*slice.parameter) + slice.elements_each - 1) / slice.elements_each};
}

std::vector<std::vector<StateSlice>> shares_of(const std::vector<StateSlice>& slices, int replicas) {
  // A cut inside a slice is at a multiple of this, so that parts stay at page bounds.
  constexpr std::int64_t cut_elements = 4096;
  std::uint64_t total = 0;
  for (const StateSlice& slice : slices) total += slice.bytes();
  std::vector<std::vector<StateSlice>> shares(static_cast<std::size_t>(replicas));
  std::uint64_t before = 0;
  for (const StateSlice& slice : slices) {
    const auto size = static_cast<std::int64_t>(size_of(slice.dtype));
    for (std::int64_t at = 0; at < slice.count;) {
      // The share that the next byte falls into, and how far that share reaches.
      const std::uint64_t position = before + static_cast<std::uint64_t>(at * size);
      const std::uint64_t share = position * static_cast<std::uint64_t>(replicas) / total;
      const std::uint64_t reach = (total * (share + 1) + static_cast<std::uint64_t>(replicas) - 1) /
                                  static_cast<std::uint64_t>(replicas);
      std::int64_t end = (static_cast<std::int64_t>(reach - before) + size - 1) / size;
      end = std::min(slice.count, std::max(at + 1, end + cut_elements - 1) / cut_elements * cut_elements);
      if (end <= at) end = std::min(slice.count, at + cut_elements);
      shares[share].push_back(slice.part(at, end - at));
      at = end;
    }
    before += slice.bytes();
  }
  return shares;
}

namespace {

json::object to_json(const optim::FailureGuard::State& guard) {
  return {{"rate_factor", guard.rate_factor},
          {"failed", guard.failed},
          {"failed_in_a_row", guard.failed_in_a_row},
          {"sound_in_a_row", guard.sound_in_a_row}};
}

optim::FailureGuard::State guard_from_json(const json::value& guard) {
  return {guard.at("rate_factor").to_number<double>(), guard.at("failed").to_number<std::int64_t>(),
          guard.at("failed_in_a_row").to_number<std::int64_t>(),
          guard.at("sound_in_a_row").to_number<std::int64_t>()};
}

}  // namespace

json::object to_json(const TrainerState& state) {
  return {
      {"step", state.step},
      {"updates", state.updates},
      {"rows_per_step", state.rows_per_step},
      {"loss_scale",
       {{"scale", state.loss_scale.scale},
        {"steps", state.loss_scale.steps},
        {"last_overflow", state.loss_scale.last_overflow},
        {"hysteresis_left", state.loss_scale.hysteresis_left}}},
      {"guard", to_json(state.guard)},
      {"spikes",
       {{"mean", state.spikes.mean}, {"steps", state.spikes.steps}, {"guard", to_json(state.spikes.guard)}}},
      {"evaluations",
       {{"best", state.evaluations.best ? json::value(*state.evaluations.best) : json::value()},
        {"without_improvement", state.evaluations.without_improvement}}}};
}

TrainerState state_from_json(const json::object& object) {
  TrainerState state;
  state.step = object.at("step").to_number<std::int64_t>();
  state.updates = object.at("updates").to_number<std::int64_t>();
  state.rows_per_step = object.at("rows_per_step").to_number<std::int64_t>();
  const json::object& scale = object.at("loss_scale").as_object();
  state.loss_scale = {scale.at("scale").to_number<double>(), scale.at("steps").to_number<std::int64_t>(),
                      scale.at("last_overflow").to_number<std::int64_t>(),
                      scale.at("hysteresis_left").to_number<int>()};
  // Checkpoints of versions before these were kept lack them.
  if (const json::value* guard = object.if_contains("guard")) state.guard = guard_from_json(*guard);
  if (const json::value* spikes = object.if_contains("spikes"))
    state.spikes = {spikes->at("mean").to_number<double>(), spikes->at("steps").to_number<std::int64_t>(),
                    guard_from_json(spikes->at("guard"))};
  if (const json::value* evaluations = object.if_contains("evaluations")) {
    if (const json::value& best = evaluations->at("best"); best.is_number())
      state.evaluations.best = best.to_number<double>();
    state.evaluations.without_improvement = evaluations->at("without_improvement").to_number<std::int64_t>();
  }
  return state;
}

}  // namespace trireme::train
