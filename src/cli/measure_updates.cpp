#include <vector>

#include "cli/engine_options.h"
#include "cli/measuring_site.h"
#include "cli/step_report.h"
#include "offload/optimizer/team.h"
#include "optim/adamw.h"
#include "sharding/arrays.h"
#include "sharding/crew.h"
#include "sharding/predict/costs.h"

namespace trireme::cli {
namespace {

constexpr std::int64_t elements = std::int64_t{1} << 24, granule = 16;

/// A slice of a model's state as it is beside parameters of bf16.
struct State {
  explicit State(sharding::ArrayLane& lane)
      : gradient(filled_array(lane, elements, 0.1f)),
        first(filled_array(lane, elements, 0.0f)),
        second(filled_array(lane, elements, 0.0f)),
        parameters(filled_array(lane, elements, BFloat16(0.5f))),
        lower(filled_array(lane, elements, std::uint16_t{0})) {}

  comm::Buffer gradient, first, second, parameters, lower;
};

void update(const State& state, std::int64_t begin, std::int64_t end, DeviceKernels* device) {
  static const optim::AdamW adamw(optim::AdamWSettings{});
  static const sharding::Parameter parameter{"measured", {elements}};
  std::vector<std::byte*> states{reinterpret_cast<std::byte*>(state.first.as<float>() + begin),
                                 reinterpret_cast<std::byte*>(state.second.as<float>() + begin)};
  sharding::UpdateRun run;
  run.parameter = &parameter, run.begin = begin, run.count = end - begin;
  run.gradient = state.gradient.as<float>() + begin, run.states = states;
  run.copy = state.parameters.as<BFloat16>() + begin, run.copy_dtype = DType::bf16;
  run.lower = state.lower.as<std::uint16_t>() + begin;
  run.device = device;
  adamw.update(run, {1e-6, 1.0, 1});
}

constexpr double updated_bytes = sharding::update_bytes_per_element * elements,
                 squared_bytes = sizeof(float) * elements;

void measure_on_device(sharding::Machine& machine, MeasuringSite& site) {
  sharding::ArrayLane& lane = site.lane();
  lane.enter();
  const State state(lane);
  machine.update_bytes_per_s =
      updated_bytes / site.watch().seconds([&] { update(state, 0, elements, &site.device()->kernels()); });
  machine.norm_bytes_per_s = squared_bytes / site.watch().seconds([&] {
    lane.sum_of_squares([&](const auto& add) { add(state.gradient.as<float>(), elements); });
  });
  const comm::Buffer pinned = site.device()->allocate_pinned(state.gradient.bytes());
  machine.host_link_bytes_per_s = static_cast<double>(pinned.bytes()) / site.watch().seconds([&] {
    lane.copy(pinned.data(), state.gradient.data(), pinned.bytes());
  });
}

}  // namespace

void measure_updates(sharding::Machine& machine, const jobs::JobSpec& job, MeasuringSite& site) {
  const comm::World& hosts = site.worlds().hosts;
  if (site.device()) measure_on_device(machine, site);
  sharding::ArrayLane on_host;
  const State state(on_host);
  offload::Team team(cores_for_updates(job, hosts));
  const double update_s = site.watch().seconds([&] {
    team.for_ranges(elements, granule,
                    [&](std::int64_t begin, std::int64_t end) { update(state, begin, end, nullptr); });
  });
  machine.host_update_bytes_per_s = updated_bytes / update_s * extent_of(hosts).node;
  if (site.device()) return;
  machine.update_bytes_per_s = updated_bytes / update_s;
  sharding::Crew crew(engine_options(job, hosts).host_threads, "norm");
  machine.norm_bytes_per_s = squared_bytes / site.watch().seconds([&] {
    crew.sum(elements, [&](std::int64_t begin, std::int64_t count) {
      return sharding::sum_of_squares(state.gradient.as<float>() + begin, count);
    });
  });
}

}  // namespace trireme::cli
