#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sharding/engine.h"
#include "train/sampling.h"

namespace trireme::train {

struct GenerationSettings {
  SamplingSettings sampling;
  std::int64_t most_tokens = 128;
  /// Ends the text; −1: nothing does.
  std::int64_t end_token = -1;
};

/// Goes on with a text, token by token; keys and values of what went before are kept. Every rank makes the
/// same call and gets the same tokens. `after_each` sees each token as it comes.
std::vector<std::int32_t> generate(sharding::Engine& engine, std::int64_t layers,
                                   std::span<const std::int32_t> prompt, const GenerationSettings& settings,
                                   const std::function<void(std::int32_t)>& after_each = {});

}  // namespace trireme::train
