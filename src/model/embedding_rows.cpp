#include "model/embedding_rows.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/kernels/kernel_for.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Of a token that a table has no row for.
constexpr std::int64_t no_row = -1;

/// Threads take columns, so that rows are added in the order of the batch whatever their number.
void add_rows(const at::Tensor& into, const at::Tensor& index, const at::Tensor& gradient) {
  const at::Tensor from = gradient.reshape({-1, into.size(1)}).to(at::kFloat).contiguous(),
                   where = index.reshape({-1}).contiguous();
  const std::int64_t size = into.size(1), rows = where.numel();
  const auto* number = where.const_data_ptr<std::int64_t>();
  const float* source = from.const_data_ptr<float>();
  float* target = into.data_ptr<float>();
  at::parallel_for(0, size, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = 0; row < rows; ++row) {
      if (number[row] == no_row) continue;
      for (std::int64_t i = begin; i < end; ++i) target[number[row] * size + i] += source[row * size + i];
    }
  });
}

/// LibTorch sorts the rows on a device, so that their order is always the same. Zeros for those of other
/// tables are spread, since a row that many add to keeps all others waiting.
void add_rows_on_device(const at::Tensor& into, const at::Tensor& index, const at::Tensor& gradient) {
  const at::Tensor where = index.reshape({-1}), other = where.eq(no_row);
  const at::Tensor spread = at::arange(where.numel(), where.options()).remainder_(into.size(0));
  const at::Tensor from =
      gradient.reshape({-1, into.size(1)}).to(at::kFloat).masked_fill(other.unsqueeze(1), 0);
  at::Tensor target = into;
  target.index_put_({at::where(other, spread, where)}, from, true);
}

/// Whether the table's gradient went into its slot.
bool add_to_slot(const sharding::GradientSinkPtr& sink, const at::Tensor& table, const at::Tensor& index,
                 const at::Tensor& gradient) {
  sharding::GradientSink::Slot* slot = sink ? sink->find(table) : nullptr;
  const bool on_device = kernels::device_kernels_of(table) != nullptr;
  if (!slot || (!table.is_cpu() && !on_device)) return false;
  if (!slot->add) slot->into.zero_();
  (on_device ? add_rows_on_device : add_rows)(slot->into, index, gradient);
  slot->add = slot->written = true;
  return true;
}

at::Tensor dense_gradient(const at::Tensor& table, const at::Tensor& index, const at::Tensor& gradient) {
  return at::embedding_dense_backward(gradient.to(table.scalar_type()), index, table.size(0), -1, false);
}

struct TableRows : torch::autograd::Function<TableRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& table, const at::Tensor& index,
                            at::ScalarType type, const sharding::GradientSinkPtr& sink) {
    context->save_for_backward({table, index});
    context->saved_data["sink"] = sharding::kept(sink);
    return at::embedding(table, index).to(type);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &table = saved[0], &index = saved[1];
    at::Tensor dense;
    if (!add_to_slot(sharding::sink_in(context->saved_data["sink"]), table, index, gradients[0]))
      dense = dense_gradient(table, index, gradients[0]);
    return {dense, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

struct WrittenRows : torch::autograd::Function<WrittenRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& table,
                            const at::Tensor& tokens, std::int64_t first,
                            const sharding::GradientSinkPtr& sink) {
    const at::Tensor local = tokens - first;
    const at::Tensor here = local.ge(0).logical_and_(local.lt(table.size(0)));
    const at::Tensor index = at::where(here, local, no_row);
    context->save_for_backward({table, index});
    context->saved_data["sink"] = sharding::kept(sink);
    at::Tensor out = hidden.variable_data();
    at::where_out(out, here.unsqueeze(-1), at::embedding(table, index.clamp_min(0)).to(hidden.scalar_type()),
                  out);
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &table = saved[0], &index = saved[1], &gradient = gradients[0];
    const at::Tensor here = index.ne(no_row).unsqueeze(-1);
    at::Tensor passed, dense;
    if (context->needs_input_grad(0)) passed = gradient.masked_fill(here, 0);
    if (context->needs_input_grad(1) &&
        !add_to_slot(sharding::sink_in(context->saved_data["sink"]), table, index, gradient))
      dense = dense_gradient(table, index.clamp_min(0), gradient.masked_fill(here.logical_not(), 0));
    return {passed, dense, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor table_rows(const at::Tensor& table, const at::Tensor& index, at::ScalarType type,
                      const sharding::GradientSinkPtr& sink) {
  return TableRows::apply(table, index, type, sink);
}

at::Tensor write_rows(const at::Tensor& hidden, const at::Tensor& table, const at::Tensor& tokens,
                      std::int64_t first, const sharding::GradientSinkPtr& sink) {
  return WrittenRows::apply(hidden, table, tokens, first, sink);
}

}  // namespace trireme::model
