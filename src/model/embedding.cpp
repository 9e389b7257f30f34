#include <ATen/ATen.h>

#include "core/error.h"
#include "model/embedding_rows.h"
#include "model/units.h"
#include "model/vocabulary_units.h"

namespace trireme::model {
namespace {

/// Scales the tokens' vectors and adds those of their positions, as the family does.
at::Tensor placed(const ModelSpec& spec, at::Tensor hidden, const EmbeddingLayout& layout,
                  const sharding::Context& context, const std::vector<at::Tensor>& weights) {
  if (spec.embedding_scale != 1.0) hidden = hidden * at::full({}, spec.embedding_scale, hidden.options());
  if (layout.positions.weight < 0) return hidden;
  if (context.tokens.size(1) > spec.max_positions)
    fail(ExitCode::configuration,
         "sequences of {} tokens are longer than the {} positions that the model has", context.tokens.size(1),
         spec.max_positions);
  return hidden + table_rows(weights[static_cast<std::size_t>(layout.positions.weight)], context.positions,
                             hidden.scalar_type(), context.gradients);
}

}  // namespace

EmbeddingUnit::EmbeddingUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared)
    : NamedUnit("embedding", std::move(groups), std::move(shared)), layout_(embedding_layout(spec())) {}

sharding::Activation EmbeddingUnit::forward(const sharding::Activation&, const sharding::Context& context,
                                            const sharding::Weights& weights) const {
  const at::Tensor rows = table_rows(weights[0][static_cast<std::size_t>(layout_.tokens.weight)],
                                     context.tokens, shared().compute, context.gradients);
  return {.hidden = placed(spec(), rows, layout_, context, weights[0]), .more = {}, .loss = {}};
}

EmbeddingChunkUnit::EmbeddingChunkUnit(std::string name, VocabularyChunk chunk, std::vector<int> groups,
                                       std::shared_ptr<const Shared> shared)
    : NamedUnit(std::move(name), std::move(groups), std::move(shared)), chunk_(chunk) {}

sharding::Activation EmbeddingChunkUnit::forward(const sharding::Activation& input,
                                                 const sharding::Context& context,
                                                 const sharding::Weights& weights) const {
  at::Tensor hidden = input.hidden;
  if (chunk_.first == 0) {
    auto shape = context.tokens.sizes().vec();
    shape.push_back(spec().hidden);
    hidden = at::zeros(shape, context.tokens.options().dtype(shared().compute));
  }
  hidden = write_rows(hidden, weights[0][0], context.tokens, chunk_.first, context.gradients);
  if (chunk_.first + chunk_.rows == spec().vocabulary)
    hidden = placed(spec(), hidden, embedding_layout(spec()), context, weights[0]);
  return {.hidden = hidden, .more = {}, .loss = {}};
}

}  // namespace trireme::model
