#pragma once
#include <cstdint>
#include <span>

#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::model {

/// Values of a model that is trained from nothing, from element `first` on, as transformers chooses them:
/// matrices normal with the configuration's initializer_range (GPT-2's projections back into the stream
/// divided by the root of twice its layers), norms one (zero where one is added), biases zero. They depend on
/// seed, name and element alone.
void fresh_weights(const ModelSpec& spec, const sharding::Parameter& parameter, std::uint64_t seed,
                   std::int64_t first, std::span<float> into);

}  // namespace trireme::model
