#include "sharding/tiers.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "core/error.h"

namespace trireme::sharding {
namespace {

std::vector<StateArrays> all_arrays(const Blueprint& blueprint, const Optimizer& optimizer) {
  std::vector<StateArrays> arrays;
  for (int group = 0; group < static_cast<int>(blueprint.facts.groups.size()); ++group)
    arrays.push_back(state_arrays(blueprint, group, optimizer));
  return arrays;
}

/// A tensor that must not be cut makes its group one part.
std::int64_t part_elements_of(const Optimizer& optimizer, const TierOptions& options) {
  const Granule granule = optimizer.granule();
  if (granule.kind == Granule::Kind::tensor) return std::numeric_limits<std::int64_t>::max() / 2;
  require(options.part_elements > 0 && options.part_elements % granule.elements == 0,
          "parts of {} elements for blocks of {}", options.part_elements, granule.elements);
  return options.part_elements;
}

std::unique_ptr<offload::PinnedSource> source_of(const TierOptions& options, bool of_inputs) {
  if (options.device) return std::make_unique<offload::DevicePages>(*options.device);
  offload::HostMemoryOptions memory;
  memory.locking = options.pin ? offload::HostMemoryOptions::Locking::if_allowed
                               : offload::HostMemoryOptions::Locking::none;
  memory.numa_node = options.numa_node;
  memory.purpose = of_inputs ? "unit inputs on the host" : "optimizer state on the host";
  return std::make_unique<offload::LockedPages>(memory);
}

std::size_t parameter_bytes(const Blueprint& blueprint, std::size_t group) {
  const GroupFacts& facts = blueprint.facts.groups[group];
  return static_cast<std::size_t>(blueprint.layouts[group].slice_elements(facts.parameters)) *
         size_of(blueprint.stored[group]);
}

}  // namespace

void cut_updates(Blueprint& blueprint, const Optimizer& optimizer, const Placement& placement,
                 const TierOptions& options) {
  if (placement.optimizer.tier != Tier::nvme) return;
  const std::int64_t each = part_elements_of(optimizer, options);
  for (int group = 0; group < static_cast<int>(blueprint.facts.groups.size()); ++group) {
    const StateArrays arrays = state_arrays(blueprint, group, optimizer);
    if (arrays.kinds.empty()) continue;
    GroupFacts& facts = blueprint.facts.groups[static_cast<std::size_t>(group)];
    facts.update_parts = static_cast<int>((arrays.elements - 1) / each + 1);
    facts.state_bytes = arrays.total_bytes();
  }
}

Tiers::Tiers(const Blueprint& blueprint, const Optimizer& optimizer, const Placement& placement,
             const TierOptions& options)
    : placement_(placement),
      arrays_(all_arrays(blueprint, optimizer)),
      part_elements_(part_elements_of(optimizer, options)),
      team_(options.update_cores) {
  const bool on_nvme = placement.optimizer.tier == Tier::nvme;
  std::vector<std::size_t> parameters(arrays_.size(), 0);
  std::size_t host_bytes = 0, nvme_bytes = 0;
  for (std::size_t group = 0; group < arrays_.size(); ++group) {
    trainable_.push_back(blueprint.facts.groups[group].trainable);
    state_tiers_.push_back(blueprint.facts.groups[group].state_tier);
    if (state_tiers_.back() == Tier::host) host_bytes += arrays_[group].total_bytes();
    if (on_nvme) nvme_bytes += arrays_[group].total_bytes();
    if (placement.of_parameters(trainable_.back()).tier == Tier::nvme)
      nvme_bytes += parameters[group] = parameter_bytes(blueprint, group);
  }
  const bool inputs = placement.activation_tier == Tier::host;
  if (host_bytes == 0 && nvme_bytes == 0 && !inputs) return;
  pool_ = std::make_unique<offload::Pool>(source_of(options, host_bytes == 0 && nvme_bytes == 0));
  if (inputs) inputs_ = std::make_unique<InputStore>(*pool_, options.device);
  if (nvme_bytes == 0) return;
  TierOptions cut = options;
  cut.part_elements = part_elements_;
  pipe_ = std::make_unique<StatePipe>(on_nvme ? arrays_ : std::vector<StateArrays>(arrays_.size()),
                                      parameters, cut, *pool_);
}

Buffer Tiers::state(int group, std::size_t kind) {
  const Tier tier = state_tiers_[static_cast<std::size_t>(group)];
  if (tier == Tier::device) return {};
  if (tier == Tier::nvme) return pipe_->array(group, kind);
  Buffer buffer = pool_->allocate(arrays_[static_cast<std::size_t>(group)].bytes(kind));
  std::memset(buffer.data(), 0, buffer.bytes());
  return buffer;
}

Buffer Tiers::parameters(int group, std::size_t bytes) {
  if (bytes == 0 ||
      placement_.of_parameters(trainable_[static_cast<std::size_t>(group)] != 0).tier != Tier::nvme)
    return {};
  return pipe_->parameters(group);
}

TierUse Tiers::use() const {
  TierUse use;
  if (pool_) {
    use.host = pool_->use().reserved.now, use.host_most = pool_->use().given.most;
    use.locked = pool_->kind() != "pageable";
    use.pool = pool_->use();
  }
  if (pipe_) use.nvme = pipe_->bytes();
  if (inputs_) use.inputs = inputs_->bytes();
  return use;
}

}  // namespace trireme::sharding
