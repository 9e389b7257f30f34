#pragma once
#include <c10/core/ScalarType.h>

#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::model {

/// The units and groups of a model. `compute` is the type of activations and products; weights may be given
/// in another.
sharding::Model build_model(const ModelSpec& spec, at::ScalarType compute = at::kFloat);

}  // namespace trireme::model
