#include "model/quantised_groups.h"

#include "sharding/layout.h"

namespace trireme::model {
namespace {

constexpr std::int64_t elements_a_scale = 64, scales_a_scale = 256, bf16_bytes = 2, float_bytes = 4;

}  // namespace

std::int64_t nf4_bytes(std::int64_t elements) {
  const auto rounded_up = [](std::int64_t value, std::int64_t parts) { return (value + parts - 1) / parts; };
  const std::int64_t scales = rounded_up(elements, elements_a_scale);
  return rounded_up(elements, 2) + scales + rounded_up(scales, scales_a_scale) * float_bytes;
}

void shrink_to_nf4(sharding::Model& model) {
  for (sharding::ParamGroup& group : model.groups) {
    if (group.trainable || group.stored || !group.name.starts_with("layers.")) continue;
    group.stored = DType::u8;
    for (sharding::Parameter& parameter : group.parameters) {
      const std::int64_t elements = sharding::element_count(parameter);
      parameter.shape = {parameter.shape.size() == 2 ? nf4_bytes(elements) : elements * bf16_bytes};
    }
  }
}

}  // namespace trireme::model
