#pragma once
#include <optional>

#include <c10/core/ScalarType.h>

#include "model/lora.h"
#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::model {

/// The units and groups of a model; with `lora` all parameters are frozen but those of the adapters, which
/// are a group more for each block. `compute` is the type of activations and products; weights may be given
/// in another. Without `fused` the units are made of LibTorch's own operations, as a reference.
sharding::Model build_model(const ModelSpec& spec, at::ScalarType compute = at::kFloat,
                            const std::optional<LoraSettings>& lora = {}, bool fused = true);

}  // namespace trireme::model
