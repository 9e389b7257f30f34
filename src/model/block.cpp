#include <ATen/ATen.h>

#include "model/attention.h"
#include "model/key_value_cache.h"
#include "model/linear.h"
#include "model/nf4.h"
#include "model/norm.h"
#include "model/plain.h"
#include "model/swiglu.h"
#include "model/units.h"

namespace trireme::model {
namespace {

at::Tensor activate(Nonlinearity kind, const at::Tensor& x) {
  switch (kind) {
    case Nonlinearity::silu:
      return at::silu(x);
    case Nonlinearity::gelu:
      return at::gelu(x);
    case Nonlinearity::gelu_tanh:
      return at::gelu(x, "tanh");
    case Nonlinearity::relu:
      return at::relu(x);
  }
  return x;
}

at::Tensor at_index(const std::vector<at::Tensor>& weights, int index) {
  return index < 0 ? at::Tensor() : weights[static_cast<std::size_t>(index)];
}

}  // namespace

BlockUnit::BlockUnit(std::int64_t layer, std::vector<int> groups, std::shared_ptr<const Shared> shared)
    : NamedUnit("layers." + std::to_string(layer), std::move(groups), std::move(shared)),
      layout_(block_layout(spec(), layer)),
      adapters_(this->shared().lora ? lora_layout(spec(), *this->shared().lora, layer) : LoraLayout{}),
      four_bit_(this->shared().lora && this->shared().lora->four_bit_base ? linear_weights(layout_)
                                                                          : std::vector<char>{}),
      layer_(layer),
      window_(spec().windows[static_cast<std::size_t>(layer)]) {}

sharding::Weights BlockUnit::in_order(const sharding::Weights& weights) const {
  if (four_bit_.empty()) return weights;
  sharding::Weights ordered{{}, weights[1]};
  std::size_t coded = 0, vectors = 0;
  for (const char in_four_bits : four_bit_)
    ordered[0].push_back(in_four_bits ? weights[0][coded++] : weights[2][vectors++]);
  return ordered;
}

at::Tensor BlockUnit::apply(const Affine& affine, const Remakable& x, const sharding::Context& context,
                            const sharding::Weights& weights) const {
  const at::Tensor weight = at_index(weights[0], affine.weight), bias = at_index(weights[0], affine.bias);
  const auto index = static_cast<std::size_t>(affine.weight);
  at::Tensor y = weight.scalar_type() == at::kByte
                     ? nf4_linear(x.value, weight, layout_.parameters[index].shape, bias, spec().transposed)
                     : linear(x, weight, bias, spec().transposed, context.gradients);
  if (adapters_.of_weight.empty() || adapters_.of_weight[index].a < 0) return y;
  const Adapter& adapter = adapters_.of_weight[index];
  constexpr std::uint64_t sites_a_layer = 256;
  return y + lora_output(x, at_index(weights[1], adapter.a), at_index(weights[1], adapter.b), *shared().lora,
                         context, static_cast<std::uint64_t>(layer_) * sites_a_layer + index + 1);
}

Remakable BlockUnit::norm(const Affine& affine, const at::Tensor& x, const sharding::Context& context,
                          const sharding::Weights& weights) const {
  const at::Tensor weight = at_index(weights[0], affine.weight), bias = at_index(weights[0], affine.bias);
  if (!shared().fused && spec().norm != NormKind::layer)
    return {plain::rms_norm(x, plain::factors(spec().norm, weight), spec().norm_epsilon), {}};
  return normalize(spec().norm, x, weight, bias, spec().norm_epsilon, context.gradients);
}

at::Tensor BlockUnit::attention(const Remakable& x, const sharding::Context& context,
                                const sharding::Weights& weights) const {
  const std::int64_t batch = x.value.size(0), length = x.value.size(1);
  const auto by_head = [&](const at::Tensor& rows) {
    return rows.reshape({batch, length, -1, spec().head_size});
  };
  at::Tensor query, key, value;
  if (layout_.fused_query_key_value.weight >= 0) {
    at::Tensor all = apply(layout_.fused_query_key_value, x, context, weights);
    const std::int64_t groups = spec().fused_by_head ? spec().key_value_heads : 1;
    const std::int64_t queries = spec().heads * spec().head_size / groups,
                       keys = spec().key_value_heads * spec().head_size / groups;
    if (groups > 1) all = all.reshape({batch, length, groups, -1});
    const auto parts = all.split_with_sizes({queries, keys, keys}, -1);
    query = by_head(parts[0]), key = by_head(parts[1]), value = by_head(parts[2]);
  } else {
    query = by_head(apply(layout_.query, x, context, weights));
    key = by_head(apply(layout_.key, x, context, weights));
    value = by_head(apply(layout_.value, x, context, weights));
  }
  if (spec().query_key_norm) {
    query = norm(layout_.query_norm, query, context, weights).value;
    key = norm(layout_.key_norm, key, context, weights).value;
  }
  auto* cache = dynamic_cast<KeyValueCache*>(context.memory.get());
  const std::int64_t past = cache ? cache->length(layer_) : 0;
  if (const auto& angles = window_ > 0 ? shared().window_rope : shared().rope) {
    const RopeTable::Rows rows = angles->at_least(past + length, x.value.device());
    const auto turn = shared().fused ? &rotate : &plain::rotate;
    query = turn(query, context.positions, rows);
    key = turn(key, context.positions, rows);
  }
  at::Tensor mixed;
  if (cache) {
    const KeyValueCache::Entries all = cache->append(layer_, key, value);
    if (past > 0)
      mixed =
          attend_to_past(query, all.key, all.value, window_, spec().attention_scale, spec().attention_cap);
  }
  if (!mixed.defined())
    mixed = attend(query, key, value, context, window_, spec().attention_scale, spec().attention_cap);
  return apply(layout_.attention_out, {mixed.reshape({batch, length, -1}), {}}, context, weights);
}

Remakable BlockUnit::gated(const at::Tensor& gate, const at::Tensor& up) const {
  return shared().fused && spec().nonlinearity == Nonlinearity::silu
             ? swiglu(gate, up)
             : Remakable{activate(spec().nonlinearity, gate) * up, {}};
}

at::Tensor BlockUnit::mlp(Remakable x, const sharding::Context& context,
                          const sharding::Weights& weights) const {
  Remakable inner;
  if (layout_.fused_gate_up.weight >= 0) {
    const auto parts = apply(layout_.fused_gate_up, x, context, weights).chunk(2, -1);
    inner = gated(parts[0], parts[1]);
  } else {
    const at::Tensor up = apply(layout_.up, x, context, weights);
    inner = spec().gated ? gated(apply(layout_.gate, x, context, weights), up)
                         : Remakable{activate(spec().nonlinearity, up), {}};
  }
  // Nobody needs it while the widest of the block's tensors are there.
  x = {};
  return apply(layout_.down, inner, context, weights);
}

sharding::Activation BlockUnit::forward(const sharding::Activation& input, const sharding::Context& context,
                                        const sharding::Weights& given) const {
  const sharding::Weights weights = in_order(given);
  Remakable normal = norm(layout_.attention_norm, input.hidden, context, weights);
  at::Tensor mixed = attention(normal, context, weights);
  if (layout_.after_attention_norm.weight >= 0)
    mixed = norm(layout_.after_attention_norm, mixed, context, weights).value;
  SumAndNorm between;
  if (spec().parallel) {
    between.sum = input.hidden + mixed;
    between.norm =
        layout_.mlp_norm.weight >= 0 ? norm(layout_.mlp_norm, input.hidden, context, weights) : normal;
  } else if (shared().fused) {
    normal = {};
    between =
        add_normalize(spec().norm, input.hidden, mixed, at_index(weights[0], layout_.mlp_norm.weight),
                      at_index(weights[0], layout_.mlp_norm.bias), spec().norm_epsilon, context.gradients);
  } else {
    between.sum = input.hidden + mixed;
    between.norm = norm(layout_.mlp_norm, between.sum, context, weights);
  }
  mixed.reset();
  normal = {};
  sharding::Activation made;
  if (spec().experts > 0) {
    made = mixture(between.norm.value, context, weights);
  } else {
    made.hidden = mlp(std::move(between.norm), context, weights);
  }
  if (layout_.after_mlp_norm.weight >= 0)
    made.hidden = norm(layout_.after_mlp_norm, made.hidden, context, weights).value;
  made.hidden = between.sum + made.hidden;
  return made;
}

}  // namespace trireme::model
