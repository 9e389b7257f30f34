#include "train/generator.h"

#include <memory>

#include <ATen/ATen.h>

#include "core/error.h"
#include "model/key_value_cache.h"

namespace trireme::train {
namespace {

sharding::Context context_of(std::span<const std::int32_t> tokens, std::int64_t first_position,
                             const std::shared_ptr<model::KeyValueCache>& cache) {
  const auto count = static_cast<std::int64_t>(tokens.size());
  sharding::Context context;
  context.tokens = at::empty({1, count}, at::kLong);
  for (std::int64_t i = 0; i < count; ++i)
    context.tokens.data_ptr<std::int64_t>()[i] = tokens[static_cast<std::size_t>(i)];
  context.positions = at::arange(first_position, first_position + count, at::kLong).unsqueeze(0);
  context.training = false;
  context.memory = cache;
  return context;
}

}  // namespace

std::vector<std::int32_t> generate(sharding::Engine& engine, std::int64_t layers,
                                   std::span<const std::int32_t> prompt, const GenerationSettings& settings,
                                   const std::function<void(std::int32_t)>& after_each) {
  if (prompt.empty()) fail(ExitCode::usage, "the prompt has no token; give a text to go on with");
  const auto given = static_cast<std::int64_t>(prompt.size());
  const auto cache = std::make_shared<model::KeyValueCache>(layers, given + settings.most_tokens);
  std::vector<std::int32_t> made, fresh(prompt.begin(), prompt.end());
  for (std::int64_t position = 0; static_cast<std::int64_t>(made.size()) < settings.most_tokens;) {
    const at::Tensor logits = engine.infer(context_of(fresh, position, cache)).hidden;
    position += static_cast<std::int64_t>(fresh.size());
    const at::Tensor last = logits.select(1, logits.size(1) - 1).to(at::kCPU, at::kFloat).contiguous();
    const auto token = static_cast<std::int32_t>(
        choose_token({last.const_data_ptr<float>(), static_cast<std::size_t>(last.numel())},
                     settings.sampling, static_cast<std::uint64_t>(position)));
    if (token == settings.end_token) break;
    made.push_back(token);
    if (after_each) after_each(token);
    fresh = {token};
  }
  return made;
}

}  // namespace trireme::train
