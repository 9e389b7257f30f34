#include "model/host_attention.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/OpMathType.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/pair_attention.h"
#include "model/weight_gradient.h"

namespace trireme::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t least_queries_at_once = 64;

/// Queries and the only keys that they can see, all of one document.
struct Block {
  std::int64_t first_query, queries, first_key, keys;
  /// How many keys a query sees, where that is fewer than all before it.
  std::optional<std::int64_t> window;
};

/// Under a narrow window the work and the masks grow with the window, not the sequence.
std::vector<Block> blocks_of(const at::Tensor& bounds, std::int64_t length, std::int64_t window) {
  const at::Tensor host = bounds.defined() ? checked_bounds(bounds, length) : at::tensor({0L, length});
  const auto* bound = host.const_data_ptr<std::int64_t>();
  std::vector<Block> blocks;
  for (std::int64_t i = 0; i + 1 < host.numel(); ++i) {
    const std::int64_t document = bound[i], stop = bound[i + 1];
    const bool narrow = window > 0 && window < stop - document;
    const std::int64_t step = narrow ? std::max(window, least_queries_at_once) : stop - document;
    for (std::int64_t begin = document; begin < stop; begin += step) {
      const std::int64_t end = std::min(begin + step, stop),
                         first = narrow ? std::max(document, begin - window + 1) : document;
      const bool sees_all = first == begin && (!narrow || end - begin <= window);
      blocks.push_back(
          {begin, end - begin, first, end - first, sees_all ? std::nullopt : std::optional(window)});
    }
  }
  return blocks;
}

std::optional<at::Tensor> mask_of(const Block& block, const at::TensorOptions& options) {
  if (!block.window) return std::nullopt;
  const auto whole = options.dtype(at::kLong);
  const at::Tensor distance =
      at::arange(block.first_query, block.first_query + block.queries, whole).unsqueeze(1) -
      at::arange(block.first_key, block.first_key + block.keys, whole);
  const at::Tensor hidden = (distance < 0).logical_or_(distance >= *block.window);
  return at::zeros(distance.sizes(), options).masked_fill_(hidden, -std::numeric_limits<double>::infinity());
}

/// Some rows of [batch, positions, heads, size] as the kernel wants them, each head so many times.
at::Tensor heads_of(const at::Tensor& rows, std::int64_t first, std::int64_t count, std::int64_t copies = 1) {
  at::Tensor part = rows.narrow(1, first, count);
  if (multiplies_slowly(part)) part = part.to(at::kFloat);
  if (copies > 1) part = part.repeat_interleave(copies, 2);
  return part.transpose(1, 2);
}

/// Back from there, the gradients of a head's copies summed.
at::Tensor rows_of(const at::Tensor& heads, std::int64_t copies = 1) {
  const at::Tensor rows = heads.transpose(1, 2);
  return copies > 1 ? rows.unflatten(2, {-1, copies}).sum(3) : rows;
}

struct Results {
  at::Tensor rows, log_sums;
};

struct Inputs {
  at::Tensor query, key, value;

  std::int64_t copies() const { return query.size(2) / key.size(2); }
  Inputs heads(const Block& block) const {
    return {heads_of(query, block.first_query, block.queries),
            heads_of(key, block.first_key, block.keys, copies()),
            heads_of(value, block.first_key, block.keys, copies())};
  }
};

Results attend_blocks(const Inputs& inputs, const std::vector<Block>& blocks, double scale) {
  const auto attend = [&](const Block& block) -> Results {
    const Inputs heads = inputs.heads(block);
    const auto [result, log_sums] = at::_scaled_dot_product_flash_attention_for_cpu(
        heads.query, heads.key, heads.value, 0.0, !block.window, mask_of(block, heads.query.options()),
        scale);
    return {rows_of(result).to(inputs.query.scalar_type()), log_sums};
  };
  if (blocks.size() == 1) return attend(blocks[0]);
  const at::Tensor& query = inputs.query;
  const Results made{at::empty(query.sizes(), query.options()),
                     at::empty({query.size(0), query.size(2), query.size(1)},
                               query.options().dtype(at::toOpMathType(query.scalar_type())))};
  for (const Block& block : blocks) {
    const Results part = attend(block);
    made.rows.narrow(1, block.first_query, block.queries).copy_(part.rows);
    made.log_sums.narrow(2, block.first_query, block.queries).copy_(part.log_sums);
  }
  return made;
}

variable_list attend_blocks_backward(const Inputs& inputs, const Results& made, const at::Tensor& gradient,
                                     const std::vector<Block>& blocks, double scale) {
  const auto type = inputs.query.scalar_type();
  const auto sum_of = [&](const at::Tensor& tensor) {
    return at::zeros(tensor.sizes(), tensor.options().dtype(at::toOpMathType(type)));
  };
  variable_list sums;
  for (const Block& block : blocks) {
    const Inputs heads = inputs.heads(block);
    const auto [query, key, value] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        heads_of(gradient, block.first_query, block.queries), heads.query, heads.key, heads.value,
        heads_of(made.rows, block.first_query, block.queries),
        made.log_sums.narrow(2, block.first_query, block.queries), 0.0, !block.window,
        mask_of(block, heads.query.options()), scale);
    const std::int64_t copies = inputs.copies();
    if (blocks.size() == 1)
      return {rows_of(query).to(type), rows_of(key, copies).to(type), rows_of(value, copies).to(type)};
    if (sums.empty()) sums = {sum_of(inputs.query), sum_of(inputs.key), sum_of(inputs.value)};
    sums[0].narrow(1, block.first_query, block.queries).copy_(rows_of(query));
    sums[1].narrow(1, block.first_key, block.keys).add_(rows_of(key, copies));
    sums[2].narrow(1, block.first_key, block.keys).add_(rows_of(value, copies));
  }
  for (at::Tensor& sum : sums) sum = sum.to(type);
  return sums;
}

struct HostAttention : torch::autograd::Function<HostAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, const std::optional<at::Tensor>& given_bounds,
                            std::int64_t window, double scale, sharding::KeptPieces* pieces) {
    const at::Tensor bounds = given_bounds.value_or(at::Tensor());
    const bool known = pieces && pieces->complete();
    Results made;
    if (known) {
      made.rows = pieces->next();
      made.log_sums = pieces->next();
    } else {
      made = attend_blocks({query, key, value}, blocks_of(bounds, query.size(1), window), scale);
      if (pieces) pieces->keep(made.rows), pieces->keep(made.log_sums);
    }
    context->save_for_backward({query, key, value, made.rows, made.log_sums, bounds});
    context->saved_data["window"] = window, context->saved_data["scale"] = scale;
    return known ? made.rows.detach() : made.rows;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& query = saved[0];
    const auto blocks = blocks_of(saved[5], query.size(1), context->saved_data["window"].toInt());
    variable_list made =
        attend_blocks_backward({query, saved[1], saved[2]}, {saved[3], saved[4]}, gradients[0].contiguous(),
                               blocks, context->saved_data["scale"].toDouble());
    made.resize(7);
    return made;
  }
};

}  // namespace

at::Tensor host_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          const at::Tensor& document_bounds, std::int64_t window, double scale,
                          sharding::KeptPieces* pieces) {
  const bool packed = document_bounds.defined();
  // A slice of a fused projection would keep all of it.
  const auto arrange = [&](const at::Tensor& tensor) {
    return (packed ? tensor.reshape({1, -1, tensor.size(2), tensor.size(3)}) : tensor).contiguous();
  };
  const std::optional<at::Tensor> bounds = packed ? std::optional(document_bounds) : std::nullopt;
  return HostAttention::apply(arrange(query), arrange(key), arrange(value), bounds, window, scale, pieces)
      .reshape(query.sizes());
}

}  // namespace trireme::model
