#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "model/units.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Threads take columns, so that rows are added in the order of the batch whatever their number.
void add_rows(const at::Tensor& into, const at::Tensor& index, const at::Tensor& gradient) {
  const at::Tensor from = gradient.reshape({-1, into.size(1)}).to(at::kFloat).contiguous(),
                   where = index.reshape({-1}).contiguous();
  const std::int64_t size = into.size(1), rows = where.numel();
  const auto* number = where.const_data_ptr<std::int64_t>();
  const float* source = from.const_data_ptr<float>();
  float* target = into.data_ptr<float>();
  at::parallel_for(0, size, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t i = begin; i < end; ++i) target[number[row] * size + i] += source[row * size + i];
  });
}

/// Rows of a table. With a slot only the rows that were used are added to.
struct TableRows : torch::autograd::Function<TableRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& table, const at::Tensor& index,
                            at::ScalarType type, const sharding::GradientSinkPtr& sink) {
    context->save_for_backward({table, index});
    context->saved_data["sink"] = sharding::kept(sink);
    return at::embedding(table, index).to(type);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &table = saved[0], &index = saved[1], &gradient = gradients[0];
    const sharding::GradientSinkPtr sink = sharding::sink_in(context->saved_data["sink"]);
    sharding::GradientSink::Slot* slot = sink ? sink->find(table) : nullptr;
    if (slot && table.is_cpu()) {
      if (!slot->add) slot->into.zero_();
      add_rows(slot->into, index, gradient);
      slot->add = slot->written = true;
      return {at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
    const at::Tensor dense =
        at::embedding_dense_backward(gradient.to(table.scalar_type()), index, table.size(0), -1, false);
    return {dense, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

EmbeddingUnit::EmbeddingUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared)
    : NamedUnit("embedding", std::move(groups), std::move(shared)), layout_(embedding_layout(spec())) {}

sharding::Activation EmbeddingUnit::forward(const sharding::Activation&, const sharding::Context& context,
                                            const sharding::Weights& weights) const {
  const auto row = [&](const Affine& table, const at::Tensor& index) {
    return TableRows::apply(weights[0][static_cast<std::size_t>(table.weight)], index, shared().compute,
                            context.gradients);
  };
  at::Tensor hidden = row(layout_.tokens, context.tokens);
  if (spec().embedding_scale != 1.0) hidden = hidden * at::full({}, spec().embedding_scale, hidden.options());
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
