#include <ATen/ATen.h>

#include "core/error.h"
#include "model/units.h"

namespace trireme::model {

EmbeddingUnit::EmbeddingUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared)
    : NamedUnit("embedding", std::move(groups), std::move(shared)), layout_(embedding_layout(spec())) {}

sharding::Activation EmbeddingUnit::forward(const sharding::Activation&, const sharding::Context& context,
                                            const sharding::Weights& weights) const {
  const auto row = [&](const Affine& table, const at::Tensor& index) {
    return at::embedding(weights[0][static_cast<std::size_t>(table.weight)], index).to(shared().compute);
  };
  at::Tensor hidden = row(layout_.tokens, context.tokens);
  if (layout_.positions.weight >= 0) {
    if (context.tokens.size(1) > spec().max_positions)
      fail(ExitCode::configuration,
           "sequences of {} tokens are longer than the {} positions that the model has",
           context.tokens.size(1), spec().max_positions);
    hidden = hidden + row(layout_.positions, context.positions);
  }
  return {.hidden = hidden, .more = {}, .loss = {}};
}

}  // namespace trireme::model
