#include "sharding/blueprint.h"

#include <numeric>

#include "core/error.h"

namespace trireme::sharding {
namespace {

std::int64_t total_elements(const ParamGroup& group) {
  std::int64_t total = 0;
  for (const Parameter& parameter : group.parameters) total += element_count(parameter);
  return total;
}

DType stored_type(const ParamGroup& group, const Placement& placement) {
  if (group.stored) return *group.stored;
  const DType dtype = dtype_of(placement.of_parameters(group.trainable).codec);
  return size_of(dtype) > 1 ? dtype : dtype_of(placement.parameters.codec);
}

/// An update reads both halves, so they lie on one tier, where it can write them at any time.
bool splits_master(const ParamGroup& group, DType stored, const Placement& placement) {
  const Tier tier = placement.optimizer.tier;
  return group.trainable && stored == DType::bf16 && tier == placement.of_parameters(true).tier &&
         tier != Tier::nvme;
}

GroupFacts facts_of(const ParamGroup& group, const Placement& placement, const Extent& extent) {
  GroupFacts facts;
  facts.name = group.name;
  facts.trainable = group.trainable;
  for (const Parameter& parameter : group.parameters) facts.cut |= parameter.part_of != nullptr;
  const bool persistent = total_elements(group) < placement.persist_below;
  const State& parameters = placement.of_parameters(group.trainable);
  if (!persistent) facts.parameters = parameters.span.ranks(extent);
  facts.parameter_tier = parameters.tier;
  if (!persistent && size_of(stored_type(group, placement)) > 1) facts.parameter_wire = parameters.wire;
  if (facts.parameters > 1 && placement.secondary) facts.secondary = placement.secondary->span.ranks(extent);
  if (group.trainable) {
    facts.gradients = placement.gradients.span.ranks(extent);
    facts.gradient_wire = persistent ? Wire::raw : placement.gradients.wire;
    facts.optimizer = placement.optimizer.span.ranks(extent);
    facts.state_tier = placement.optimizer.tier;
    facts.gradient_tier = placement.gradients.tier;
  }
  return facts;
}

}  // namespace

Blueprint draw(const Model& model, const Placement& placement, const Extent& extent, Granule granule) {
  require_fits(placement, extent);
  Blueprint blueprint;
  blueprint.facts.world = extent.world;
  for (const ParamGroup& group : model.groups) {
    GroupFacts facts = facts_of(group, placement, extent);
    const int parts = std::lcm(std::lcm(facts.parameters, facts.optimizer), std::max(facts.secondary, 1));
    blueprint.layouts.emplace_back(group.parameters, std::lcm(parts, facts.gradients),
                                   group.trainable ? granule : Granule::element());
    blueprint.stored.push_back(stored_type(group, placement));
    blueprint.splits_master.push_back(splits_master(group, blueprint.stored.back(), placement));
    blueprint.partitions.emplace_back(extent.world,
                                      std::vector{facts.parameters, facts.gradients, facts.optimizer});
    facts.elements = static_cast<std::uint64_t>(blueprint.layouts.back().elements());
    facts.element_bytes = size_of(blueprint.stored.back());
    blueprint.facts.groups.push_back(std::move(facts));
  }
  std::vector<char> used(model.groups.size(), 0);
  for (const auto& unit : model.units) {
    blueprint.facts.units.push_back(
        {unit->name(), unit->groups(), unit->keeps_little(), unit->backward_reads_weights()});
    for (const int group : unit->groups()) {
      require(group >= 0 && group < static_cast<int>(model.groups.size()), "unit {} names group {} of {}",
              unit->name(), group, model.groups.size());
      used[static_cast<std::size_t>(group)] = 1;
    }
  }
  for (std::size_t i = 0; i < used.size(); ++i)
    require(used[i] != 0, "no unit computes with group {}", model.groups[i].name);
  return blueprint;
}

}  // namespace trireme::sharding
