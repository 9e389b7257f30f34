#include "model/build.h"

#include "model/layout.h"
#include "model/units.h"

namespace trireme::model {

sharding::Model build_model(const ModelSpec& spec, at::ScalarType compute) {
  auto shared = std::make_shared<Shared>();
  shared->spec = spec;
  shared->compute = compute;
  if (spec.rope.kind != RopeKind::none) shared->rope = std::make_unique<RopeTable>(spec.rope, spec.head_size);

  sharding::Model model;
  model.groups = parameter_groups(spec);
  const int head = static_cast<int>(model.groups.size()) - 1;
  model.units.push_back(std::make_unique<EmbeddingUnit>(std::vector{0}, shared));
  for (std::int64_t layer = 0; layer < spec.layers; ++layer)
    model.units.push_back(
        std::make_unique<BlockUnit>(layer, std::vector{static_cast<int>(layer) + 1}, shared));
  model.units.push_back(
      std::make_unique<HeadUnit>(spec.tied ? std::vector{head, 0} : std::vector{head}, shared));
  return model;
}

}  // namespace trireme::model
