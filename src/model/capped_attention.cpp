#include "model/capped_attention.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/weight_gradient.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t queries_at_once = 128;

struct Form {
  std::int64_t window;
  double scale, cap;
};

/// Halves become fp32 on a CPU: it has no products of them.
at::Tensor widened(const at::Tensor& tensor) {
  return multiplies_slowly(tensor) ? tensor.to(at::kFloat) : tensor;
}

/// A block of queries and the only keys that it can see.
struct Block {
  std::int64_t first_query, queries, first_key, keys;
};

std::vector<Block> blocks_of(std::int64_t queries, std::int64_t keys, std::int64_t window) {
  std::vector<Block> blocks;
  const std::int64_t past = keys - queries;
  for (std::int64_t begin = 0; begin < queries; begin += queries_at_once) {
    const std::int64_t end = std::min(begin + queries_at_once, queries);
    const std::int64_t first = window > 0 ? std::max<std::int64_t>(0, past + begin - window + 1) : 0;
    blocks.push_back({begin, end - begin, first, past + end - first});
  }
  return blocks;
}

at::Tensor attend_block(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                        const Block& block, std::int64_t past, const Form& form) {
  const auto options = at::TensorOptions().dtype(at::kLong).device(query.device());
  const std::int64_t first = past + block.first_query;
  const at::Tensor distance = at::arange(first, first + block.queries, options).unsqueeze(1) -
                              at::arange(block.first_key, block.first_key + block.keys, options);
  at::Tensor hidden = distance < 0;
  if (form.window > 0) hidden = hidden.logical_or(distance >= form.window);
  const at::Tensor raw = at::matmul(query, key.transpose(-1, -2)).mul(form.scale / form.cap);
  const at::Tensor scores =
      raw.tanh().mul(form.cap).to(at::kFloat).masked_fill(hidden, -std::numeric_limits<float>::infinity());
  return at::matmul(scores.softmax(-1).to(value.scalar_type()), value);
}

struct CappedAttention : torch::autograd::Function<CappedAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, std::int64_t window, double scale, double cap) {
    context->save_for_backward({query, key, value});
    context->saved_data["window"] = window, context->saved_data["scale"] = scale;
    context->saved_data["cap"] = cap;
    std::vector<at::Tensor> parts;
    for (const Block& block : blocks_of(query.size(2), key.size(2), window))
      parts.push_back(attend_block(widened(query.narrow(2, block.first_query, block.queries)),
                                   widened(key.narrow(2, block.first_key, block.keys)),
                                   widened(value.narrow(2, block.first_key, block.keys)), block,
                                   key.size(2) - query.size(2), {window, scale, cap})
                          .to(query.scalar_type()));
    return at::cat(parts, 2);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &query = saved[0], &key = saved[1], &value = saved[2];
    const Form form{context->saved_data["window"].toInt(), context->saved_data["scale"].toDouble(),
                    context->saved_data["cap"].toDouble()};
    const auto type = query.scalar_type();
    const auto options = query.options().dtype(multiplies_slowly(query) ? at::kFloat : type);
    const at::Tensor dq = at::empty_like(query), dk = at::zeros(key.sizes(), options),
                     dv = at::zeros(value.sizes(), options);
    const at::AutoGradMode recording(true);
    for (const Block& block : blocks_of(query.size(2), key.size(2), form.window)) {
      const auto leaf = [](const at::Tensor& tensor, std::int64_t first, std::int64_t count) {
        return widened(tensor.detach().narrow(2, first, count)).requires_grad_(true);
      };
      const at::Tensor q = leaf(query, block.first_query, block.queries),
                       k = leaf(key, block.first_key, block.keys),
                       v = leaf(value, block.first_key, block.keys);
      const at::Tensor out = attend_block(q, k, v, block, key.size(2) - query.size(2), form);
      const variable_list made = torch::autograd::grad(
          {out}, {q, k, v}, {widened(gradients[0].narrow(2, block.first_query, block.queries))});
      const at::NoGradGuard still;
      dq.narrow(2, block.first_query, block.queries).copy_(made[0]);
      dk.narrow(2, block.first_key, block.keys).add_(made[1]);
      dv.narrow(2, block.first_key, block.keys).add_(made[2]);
    }
    return {dq, dk.to(type), dv.to(type), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor capped_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            std::int64_t window, double scale, double cap) {
  return CappedAttention::apply(query, key, value, window, scale, cap);
}

}  // namespace trireme::model
