#include "model/pair_attention.h"

#include <algorithm>
#include <optional>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/error.h"
#include "model/kernels/attention_tiles.h"
#include "model/turns.h"

namespace trireme::model {
namespace {

using kernels::AttentionShape;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const BFloat16* ours(const at::Tensor& tensor) {
  return reinterpret_cast<const BFloat16*>(tensor.const_data_ptr<at::BFloat16>());
}
BFloat16* ours_to_write(const at::Tensor& tensor) {
  return reinterpret_cast<BFloat16*>(tensor.data_ptr<at::BFloat16>());
}

/// The first key that each position sees, or undefined where that is the first of all.
at::Tensor first_keys(const at::Tensor& bounds, std::int64_t length, std::int64_t window) {
  const bool narrow = window > 0 && window < length;
  if (!bounds.defined() && !narrow) return {};
  at::Tensor first = at::zeros({length}, at::kInt);
  auto* keys = first.data_ptr<std::int32_t>();
  if (bounds.defined()) {
    const at::Tensor host = checked_bounds(bounds, length);
    const auto* bound = host.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i + 1 < host.numel(); ++i)
      std::fill(keys + bound[i], keys + bound[i + 1], static_cast<std::int32_t>(bound[i]));
  }
  for (std::int64_t i = window; narrow && i < length; ++i)
    keys[i] = std::max(keys[i], static_cast<std::int32_t>(i - window + 1));
  return first;
}

AttentionShape shape_of(const at::Tensor& query, const at::Tensor& key, const at::Tensor& first,
                        double scale) {
  AttentionShape shape;
  shape.length = query.size(1), shape.heads = query.size(2), shape.key_value_heads = key.size(2);
  shape.head_size = query.size(3), shape.scale = static_cast<float>(scale);
  if (first.defined()) shape.first_key = first.const_data_ptr<std::int32_t>();
  return shape;
}

/// Calls `work(row of the batch, head, scratch)` for each, shared by the threads.
template <typename Work>
void for_heads(std::int64_t rows, std::int64_t heads, std::size_t scratch_bytes, const Work& work) {
  take_turns(rows * heads, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor scratch = at::empty({static_cast<std::int64_t>(scratch_bytes)}, at::kByte);
    for (std::int64_t i = begin; i < end; ++i)
      work(i / heads, i % heads, reinterpret_cast<std::byte*>(scratch.data_ptr()));
  });
}

struct PairAttention : torch::autograd::Function<PairAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, const std::optional<at::Tensor>& given_first,
                            double scale, sharding::KeptPieces* pieces) {
    const at::Tensor first = given_first.value_or(at::Tensor());
    const auto remember = [&](const at::Tensor& out, const at::Tensor& log_sums) {
      context->save_for_backward({query, key, value, out, log_sums, first});
      context->saved_data["scale"] = scale;
    };
    if (pieces && pieces->complete()) {
      const at::Tensor out = pieces->next();
      remember(out, pieces->next());
      return out.detach();
    }
    const AttentionShape shape = shape_of(query, key, first, scale);
    const at::Tensor out = at::empty_like(query);
    const at::Tensor log_sums =
        at::empty({query.size(0), shape.heads, shape.length}, query.options().dtype(at::kFloat));
    for_heads(query.size(0), shape.heads, kernels::attention_scratch(shape),
              [&](std::int64_t row, std::int64_t head, std::byte* scratch) {
                const std::int64_t queries = row * shape.length * shape.query_stride(),
                                   keys = row * shape.length * shape.key_stride();
                kernels::attend_head(shape,
                                     {ours(query) + queries, ours(key) + keys, ours(value) + keys,
                                      ours_to_write(out) + queries,
                                      log_sums.data_ptr<float>() + row * shape.heads * shape.length},
                                     head, scratch);
              });
    if (pieces) pieces->keep(out), pieces->keep(log_sums);
    remember(out, log_sums);
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &query = saved[0], &key = saved[1], &value = saved[2], &out = saved[3];
    const at::Tensor &log_sums = saved[4], gradient = gradients[0].contiguous();
    const AttentionShape shape = shape_of(query, key, saved[5], context->saved_data["scale"].toDouble());
    const at::Tensor dquery = at::empty_like(query), dkey = at::empty_like(key),
                     dvalue = at::empty_like(value);
    for_heads(
        query.size(0), shape.key_value_heads, kernels::attention_backward_scratch(shape),
        [&](std::int64_t row, std::int64_t head, std::byte* scratch) {
          const std::int64_t queries = row * shape.length * shape.query_stride(),
                             keys = row * shape.length * shape.key_stride();
          kernels::attend_backward(
              shape,
              {ours(query) + queries, ours(key) + keys, ours(value) + keys, ours(out) + queries,
               ours(gradient) + queries, log_sums.const_data_ptr<float>() + row * shape.heads * shape.length,
               ours_to_write(dquery) + queries, ours_to_write(dkey) + keys, ours_to_write(dvalue) + keys},
              head, scratch);
        });
    return {dquery, dkey, dvalue, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

bool attends_in_pairs(const at::Tensor& query, double scale) {
  return query.is_cpu() && query.scalar_type() == at::kBFloat16 && scale > 0 && query.numel() > 0 &&
         kernels::attends_in_pairs(query.size(3));
}

at::Tensor pair_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          const at::Tensor& document_bounds, std::int64_t window, double scale,
                          sharding::KeptPieces* pieces) {
  const bool packed = document_bounds.defined();
  const auto arrange = [&](const at::Tensor& tensor) {
    return (packed ? tensor.reshape({1, -1, tensor.size(2), tensor.size(3)}) : tensor).contiguous();
  };
  const at::Tensor rows = arrange(query), first = first_keys(document_bounds, rows.size(1), window);
  const std::optional<at::Tensor> present = first.defined() ? std::optional(first) : std::nullopt;
  return PairAttention::apply(rows, arrange(key), arrange(value), present, scale, pieces)
      .reshape(query.sizes());
}

at::Tensor checked_bounds(const at::Tensor& bounds, std::int64_t positions) {
  at::Tensor host = bounds.to(at::kCPU, at::kLong).contiguous();
  const auto* bound = host.data_ptr<std::int64_t>();
  const std::int64_t documents = host.numel() - 1;
  require(documents >= 1 && bound[0] == 0 && bound[documents] == positions,
          "the document bounds end at {} in a batch of {} positions", documents >= 1 ? bound[documents] : -1,
          positions);
  return host;
}

}  // namespace trireme::model
