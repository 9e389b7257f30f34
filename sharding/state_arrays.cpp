#include "sharding/state_arrays.h"

namespace trireme::sharding {

std::size_t StateArrays::bytes(std::size_t kind) const {
  const StateKind& array = kinds[kind];
  return static_cast<std::size_t>((elements + array.elements_each - 1) / array.elements_each) *
         size_of(array.dtype);
}

std::size_t StateArrays::offset(std::size_t kind, std::int64_t element) const {
  const StateKind& array = kinds[kind];
  return static_cast<std::size_t>(element / array.elements_each) * size_of(array.dtype);
}

std::size_t StateArrays::total_bytes() const {
  std::size_t total = 0;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) total += bytes(kind);
  return total;
}

StateArrays state_arrays(const Blueprint& blueprint, int group, const Optimizer& optimizer) {
  return state_arrays(blueprint, group, optimizer.states());
}

StateArrays state_arrays(const Blueprint& blueprint, int group, const std::vector<StateKind>& states) {
  const GroupFacts& facts = blueprint.group(group);
  StateArrays arrays;
  if (!facts.trainable) return arrays;
  const auto g = static_cast<std::size_t>(group);
  arrays.elements = blueprint.layouts[g].slice_elements(facts.optimizer);
  arrays.master = blueprint.stored[g] != DType::f32 || facts.optimizer != facts.parameters;
  arrays.splits_master = blueprint.splits_master[g] != 0;
  if (arrays.master) arrays.kinds.push_back({"master", arrays.splits_master ? DType::i16 : DType::f32, 1});
  arrays.kinds.insert(arrays.kinds.end(), states.begin(), states.end());
  return arrays;
}

}  // namespace trireme::sharding
