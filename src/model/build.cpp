#include "model/build.h"

#include "model/layout.h"
#include "model/nf4.h"
#include "model/units.h"

namespace trireme::model {
namespace {

/// Leaves the linear weights in the group, as bytes of 4-bit codes; the rest is a group of its own.
sharding::ParamGroup split_off_vectors(sharding::ParamGroup& block, const std::vector<char>& linear) {
  sharding::ParamGroup vectors;
  vectors.name = block.name + ".vectors";
  vectors.trainable = false;
  std::vector<sharding::Parameter> weights;
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (linear[i]) {
      weights.push_back(nf4_parameter(block.parameters[i]));
    } else {
      vectors.parameters.push_back(block.parameters[i]);
    }
  }
  block.parameters = std::move(weights);
  block.stored = DType::u8;
  return vectors;
}

}  // namespace

sharding::Model build_model(const ModelSpec& spec, at::ScalarType compute,
                            const std::optional<LoraSettings>& lora, bool fused) {
  auto shared = std::make_shared<Shared>();
  shared->spec = spec;
  shared->compute = compute;
  shared->lora = lora;
  shared->fused = fused;
  if (lora) check_targets(spec, *lora);
  if (spec.rope.kind != RopeKind::none) {
    shared->rope = std::make_shared<RopeTable>(spec.rope, spec.head_size);
    shared->window_rope =
        spec.window_rope ? std::make_shared<RopeTable>(*spec.window_rope, spec.head_size) : shared->rope;
  }

  sharding::Model model;
  model.groups = parameter_groups(spec);
  const int head = static_cast<int>(model.groups.size()) - 1;
  if (lora)
    for (sharding::ParamGroup& group : model.groups) group.trainable = false;
  model.units.push_back(std::make_unique<EmbeddingUnit>(std::vector{0}, shared));
  for (std::int64_t layer = 0; layer < spec.layers; ++layer) {
    std::vector<int> groups{static_cast<int>(layer) + 1};
    if (lora) {
      groups.push_back(static_cast<int>(model.groups.size()));
      sharding::ParamGroup& adapters = model.groups.emplace_back();
      adapters.name = model.groups[static_cast<std::size_t>(layer) + 1].name + ".lora";
      adapters.parameters = lora_layout(spec, *lora, layer).parameters;
    }
    if (lora && lora->four_bit_base) {
      groups.push_back(static_cast<int>(model.groups.size()));
      model.groups.push_back(split_off_vectors(model.groups[static_cast<std::size_t>(layer) + 1],
                                               linear_weights(block_layout(spec, layer))));
    }
    model.units.push_back(std::make_unique<BlockUnit>(layer, std::move(groups), shared));
  }
  model.units.push_back(
      std::make_unique<HeadUnit>(spec.tied ? std::vector{head, 0} : std::vector{head}, shared));
  return model;
}

}  // namespace trireme::model
