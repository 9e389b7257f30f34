#include "jobs/placement_keys.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/bytes.h"
#include "core/error.h"
#include "sharding/presets.h"

namespace trireme::jobs {
namespace {

using sharding::Placement;
using sharding::State;

constexpr std::array classes{"parameters", "frozen", "secondary", "gradients", "optimizer"};
constexpr std::array aspects{"span", "tier", "codec", "wire"};

State& state_of(Placement& placement, std::string_view name) {
  if (name == "parameters") return placement.parameters;
  if (name == "gradients") return placement.gradients;
  if (name == "optimizer") return placement.optimizer;
  auto& optional = name == "frozen" ? placement.frozen : placement.secondary;
  if (!optional) optional = placement.parameters;
  return *optional;
}

template <typename Value>
bool store(const std::optional<Value>& value, Value& place) {
  if (value) place = *value;
  return value.has_value();
}

bool say_bytes(std::string_view value, std::optional<std::uint64_t>& bytes) {
  try {
    bytes = value == "auto" ? sharding::whatever_fits : parse_bytes(value);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Whether a step adds to gradients after they were reduced; one whose micro-batches depend on the number of
/// ranks may.
bool adds_to_gradients(const JobSpec& job) {
  return job.schedule.order != "unit_major" &&
         (job.gradient_accumulation_steps > 1 || job.train_batch_size > 0);
}

/// False: `value` is not one that `name` can have.
bool say(Placement& placement, std::string_view name, std::string_view value) {
  if (name == "activations") return store(sharding::activations_from_name(value), placement.activations);
  if (name == "activation_tier") return store(sharding::tier_from_name(value), placement.activation_tier);
  if (name == "persist_below") {
    const auto [end, status] =
        std::from_chars(value.data(), value.data() + value.size(), placement.persist_below);
    return status == std::errc() && end == value.data() + value.size() && placement.persist_below >= 0;
  }
  if (name == "optimizer.device_bytes") return say_bytes(value, placement.device_state_bytes);
  const std::size_t dot = name.find('.');
  State& state = state_of(placement, name.substr(0, dot));
  const std::string_view aspect = name.substr(dot + 1);
  if (aspect == "span") return store(sharding::Span::from_name(value), state.span);
  if (aspect == "tier") return store(sharding::tier_from_name(value), state.tier);
  if (aspect == "codec") return store(sharding::codec_from_name(value), state.codec);
  return store(sharding::wire_from_name(value), state.wire);
}

}  // namespace

const std::vector<std::string>& placement_key_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all{"placement.preset", "placement.activations", "placement.activation_tier",
                                 "placement.persist_below", "placement.optimizer.device_bytes"};
    for (const char* state : classes)
      for (const char* aspect : aspects) all.push_back(std::string("placement.") + state + "." + aspect);
    return all;
  }();
  return names;
}

bool apply_placement(const Setting& setting, PlacementChoice& choice) {
  const bool preset = setting.name == "placement" || setting.name == "placement.preset";
  const auto& names = placement_key_names();
  if (!preset && std::find(names.begin(), names.end(), setting.name) == names.end()) return false;
  if (setting.value.IsNull()) return true;
  if (!setting.value.IsScalar())
    fail(ExitCode::configuration, "{}: {} must be one word", setting.where, setting.name);
  const std::string value = setting.value.Scalar();
  if (preset) {
    try {
      sharding::preset(value);
    } catch (const Error& error) {
      fail(ExitCode::configuration, "{}: {}", setting.where, error.what());
    }
    choice.preset = value;
    return true;
  }
  const std::string name = setting.name.substr(std::string("placement.").size());
  Placement trial = sharding::preset(choice.preset);
  if (!say(trial, name, value))
    fail(ExitCode::configuration, "{}: {} cannot be \"{}\"", setting.where, setting.name,
         value.substr(0, 60));
  choice.said[name] = value;
  return true;
}

Placement placement_of(const JobSpec& job, sharding::Codec compute) {
  Placement placement = sharding::preset(job.placement.preset, compute);
  for (const auto& [name, value] : job.placement.said)
    require(say(placement, name, value), "placement.{} is \"{}\"", name, value);
  if (!job.placement.said.empty()) placement.name += " with changes";
  // What bitsandbytes pages by faults is placed before the first step.
  if (job.optimizer.starts_with("paged_") && placement.optimizer.tier == sharding::Tier::device &&
      !job.placement.said.contains("optimizer.tier")) {
    placement.optimizer.tier = sharding::Tier::host;
    if (!placement.device_state_bytes) placement.device_state_bytes = sharding::whatever_fits;
  }
  // Gradients follow the state that they update, if they need not come back to be added to.
  if (placement.optimizer.tier != sharding::Tier::device && !job.placement.said.contains("gradients.tier"))
    placement.gradients.tier = adds_to_gradients(job) ? sharding::Tier::device : sharding::Tier::host;
  if (job.gradient_checkpointing && !job.placement.said.contains("activations"))
    placement.activations = sharding::Activations::recomputed;
  return placement;
}

}  // namespace trireme::jobs
