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

std::vector<PipedGroup> piped_groups(const Blueprint& blueprint, int position,
                                     const std::vector<StateArrays>& arrays) {
  std::vector<PipedGroup> groups;
  for (std::size_t g = 0; g < arrays.size(); ++g) {
    const GroupFacts& facts = blueprint.facts.groups[g];
    PipedGroup& group = groups.emplace_back();
    group.stored = blueprint.stored[g];
    if (facts.state_tier == Tier::nvme) group.state = arrays[g];
    if (!facts.on_drive()) continue;
    group.parameters = blueprint.layouts[g].slice_elements(facts.parameters);
    group.updates_parameters = facts.update_writes_home();
    group.reads_parameters = group.updates_parameters && !arrays[g].master;
    if (group.updates_parameters)
      group.first_parameter = blueprint.partitions[g].slice(position, facts.parameters) %
                              (facts.parameters / facts.optimizer) * group.parameters;
  }
  return groups;
}

/// Of the rank that needs most.
std::uint64_t bytes_of_part(const GroupFacts& facts, StateArrays arrays, std::int64_t elements) {
  arrays.elements = std::min(arrays.elements, elements);
  std::uint64_t bytes = 0;
  if (facts.state_tier == Tier::nvme)
    for (std::size_t kind = 0; kind < arrays.kinds.size(); ++kind) bytes += in_sectors(arrays.bytes(kind));
  if (facts.update_writes_home())
    bytes += in_sectors(static_cast<std::uint64_t>(arrays.elements) * facts.element_bytes);
  return bytes;
}

}  // namespace

void cut_updates(Blueprint& blueprint, const Optimizer& optimizer, const TierOptions& options) {
  for (int group = 0; group < static_cast<int>(blueprint.facts.groups.size()); ++group) {
    GroupFacts& facts = blueprint.facts.groups[static_cast<std::size_t>(group)];
    const StateArrays arrays = state_arrays(blueprint, group, optimizer);
    if (facts.state_tier == Tier::nvme) facts.state_bytes = arrays.total_bytes();
    if (facts.update_writes_home())
      (arrays.master ? facts.value_bytes : facts.state_bytes) += facts.home_bytes();
    if (facts.state_bytes + facts.value_bytes == 0) continue;
    const std::int64_t elements = part_elements_of(optimizer, options);
    facts.update_parts = static_cast<int>((arrays.elements - 1) / elements + 1);
    facts.part_bytes = bytes_of_part(facts, arrays, elements);
  }
}

void meet_drives(Blueprint& blueprint, unsigned nvme_depth) {
  const auto on_drive = [](const GroupFacts& facts) { return facts.on_drive(); };
  if (std::ranges::any_of(blueprint.facts.groups, on_drive))
    blueprint.meeting_bytes = offload::meeting_bytes(nvme_depth);
}

Tiers::Tiers(const Blueprint& blueprint, int position, const Optimizer& optimizer, const Placement& placement,
             const TierOptions& options, const ScheduleOptions& steps)
    : arrays_(all_arrays(blueprint, optimizer)),
      part_elements_(part_elements_of(optimizer, options)),
      team_(options.update_cores) {
  std::size_t host_bytes = 0;
  bool on_nvme = false;
  for (std::size_t group = 0; group < arrays_.size(); ++group) {
    const GroupFacts& facts = blueprint.facts.groups[group];
    state_tiers_.push_back(facts.state_tier);
    parameter_tiers_.push_back(facts.parameter_tier);
    gradient_bytes_.push_back(steps.lowers(facts) ? facts.gradient_bytes() : 0);
    host_bytes += gradient_bytes_.back();
    if (facts.state_tier == Tier::host) host_bytes += arrays_[group].total_bytes();
    on_nvme |= facts.on_drive() || (facts.state_tier == Tier::nvme && arrays_[group].total_bytes() > 0);
  }
  const bool inputs = placement.activation_tier == Tier::host;
  if (host_bytes == 0 && !on_nvme && !inputs) return;
  pool_ = std::make_unique<offload::Pool>(source_of(options, host_bytes == 0 && !on_nvme));
  if (inputs) inputs_ = std::make_unique<InputStore>(*pool_);
  if (!on_nvme) return;
  TierOptions cut = options;
  cut.part_elements = part_elements_;
  Buffer meeting;
  if (blueprint.meeting_bytes > 0) meeting = pool_->allocate(blueprint.meeting_bytes);
  pipe_ = std::make_unique<StatePipe>(piped_groups(blueprint, position, arrays_), std::move(meeting), cut,
                                      *pool_);
}

Buffer Tiers::zeroed(std::size_t bytes) {
  Buffer buffer = pool_->allocate(bytes);
  std::memset(buffer.data(), 0, buffer.bytes());
  return buffer;
}

Buffer Tiers::state(int group, std::size_t kind) {
  const Tier tier = state_tiers_[static_cast<std::size_t>(group)];
  if (tier == Tier::device) return {};
  if (tier == Tier::nvme) return pipe_->array(group, kind);
  return zeroed(arrays_[static_cast<std::size_t>(group)].bytes(kind));
}

Buffer Tiers::gradient(int group) {
  const std::size_t bytes = gradient_bytes_[static_cast<std::size_t>(group)];
  return bytes > 0 ? zeroed(bytes) : Buffer{};
}

Buffer Tiers::parameters(int group) {
  if (parameter_tiers_[static_cast<std::size_t>(group)] != Tier::nvme) return {};
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
