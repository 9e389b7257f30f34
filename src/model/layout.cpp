#include "model/layout.h"

#include <string>

namespace trireme::model {
namespace {

/// Collects parameters under one name prefix and hands out their indices.
class Collector {
 public:
  Collector(std::vector<sharding::Parameter>& parameters, std::string prefix, bool transposed)
      : parameters_(parameters), prefix_(std::move(prefix)), transposed_(transposed) {}

  Affine linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias) {
    Affine affine;
    if (name.empty()) return affine;
    affine.weight = add(name + ".weight", transposed_ ? std::vector{in, out} : std::vector{out, in});
    if (bias) affine.bias = add(name + ".bias", {out});
    return affine;
  }
  Affine norm(const std::string& name, std::int64_t size, NormKind kind) {
    Affine affine;
    if (name.empty()) return affine;
    affine.weight = add(name + ".weight", {size});
    if (kind == NormKind::layer) affine.bias = add(name + ".bias", {size});
    return affine;
  }
  Affine table(const std::string& name, std::int64_t rows, std::int64_t columns) {
    return {.weight = add(name + ".weight", {rows, columns})};
  }

 private:
  int add(const std::string& name, std::vector<std::int64_t> shape) {
    parameters_.push_back({prefix_ + name, std::move(shape)});
    return static_cast<int>(parameters_.size()) - 1;
  }

  std::vector<sharding::Parameter>& parameters_;
  std::string prefix_;
  bool transposed_;
};

std::string numbered(std::string name, std::int64_t number) {
  return name.replace(name.find("{}"), 2, std::to_string(number));
}

}  // namespace

EmbeddingLayout embedding_layout(const ModelSpec& spec) {
  EmbeddingLayout layout;
  Collector collect(layout.parameters, "", spec.transposed);
  layout.tokens = collect.table(spec.names.embedding, spec.vocabulary, spec.hidden);
  if (spec.learned_positions)
    layout.positions = collect.table(spec.names.positions, spec.max_positions, spec.hidden);
  return layout;
}

BlockLayout block_layout(const ModelSpec& spec, std::int64_t layer) {
  const TensorNames& names = spec.names;
  const std::int64_t queries = spec.heads * spec.head_size, keys = spec.key_value_heads * spec.head_size;
  const bool bias = spec.query_key_value_bias;
  BlockLayout layout;
  Collector collect(layout.parameters, numbered(names.block, layer), spec.transposed);
  layout.attention_norm = collect.norm(names.attention_norm, spec.hidden, spec.norm);
  layout.query = collect.linear(names.query, spec.hidden, queries, bias);
  layout.key = collect.linear(names.key, spec.hidden, keys, bias);
  layout.value = collect.linear(names.value, spec.hidden, keys, bias);
  layout.fused_query_key_value =
      collect.linear(names.fused_query_key_value, spec.hidden, queries + 2 * keys, bias);
  if (spec.query_key_norm) {
    layout.query_norm = collect.norm(names.query_norm, spec.head_size, spec.norm);
    layout.key_norm = collect.norm(names.key_norm, spec.head_size, spec.norm);
  }
  layout.attention_out = collect.linear(names.attention_out, queries, spec.hidden, spec.attention_out_bias);
  layout.after_attention_norm = collect.norm(names.after_attention_norm, spec.hidden, spec.norm);
  layout.mlp_norm = collect.norm(names.mlp_norm, spec.hidden, spec.norm);
  layout.router = collect.linear(names.router, spec.hidden, spec.experts, false);
  for (std::int64_t i = 0; i < spec.experts; ++i) {
    Expert& expert = layout.experts.emplace_back();
    expert.gate = collect.linear(numbered(names.expert_gate, i), spec.hidden, spec.intermediate, false);
    expert.up = collect.linear(numbered(names.expert_up, i), spec.hidden, spec.intermediate, false);
    expert.down = collect.linear(numbered(names.expert_down, i), spec.intermediate, spec.hidden, false);
  }
  layout.fused_gate_up =
      collect.linear(names.fused_gate_up, spec.hidden, 2 * spec.intermediate, spec.mlp_bias);
  if (spec.gated) layout.gate = collect.linear(names.gate, spec.hidden, spec.intermediate, spec.mlp_bias);
  layout.up = collect.linear(names.up, spec.hidden, spec.intermediate, spec.mlp_bias);
  layout.down = collect.linear(names.down, spec.intermediate, spec.hidden, spec.mlp_bias);
  layout.after_mlp_norm = collect.norm(names.after_mlp_norm, spec.hidden, spec.norm);
  return layout;
}

HeadLayout head_layout(const ModelSpec& spec) {
  HeadLayout layout;
  Collector collect(layout.parameters, "", false);
  layout.norm = collect.norm(spec.names.final_norm, spec.hidden, spec.norm);
  if (!spec.tied) layout.output = collect.linear(spec.names.head, spec.hidden, spec.vocabulary, false);
  return layout;
}

std::vector<sharding::ParamGroup> parameter_groups(const ModelSpec& spec) {
  std::vector<sharding::ParamGroup> groups;
  const auto add = [&](std::string name, std::vector<sharding::Parameter> parameters) {
    sharding::ParamGroup& group = groups.emplace_back();
    group.name = std::move(name);
    group.parameters = std::move(parameters);
  };
  add("embedding", embedding_layout(spec).parameters);
  for (std::int64_t layer = 0; layer < spec.layers; ++layer)
    add("layers." + std::to_string(layer), block_layout(spec, layer).parameters);
  add("head", head_layout(spec).parameters);
  return groups;
}

std::int64_t parameter_count(const ModelSpec& spec) {
  std::int64_t total = 0;
  for (const sharding::ParamGroup& group : parameter_groups(spec))
    for (const sharding::Parameter& parameter : group.parameters) {
      std::int64_t elements = 1;
      for (const std::int64_t extent : parameter.shape) elements *= extent;
      total += elements;
    }
  return total;
}

}  // namespace trireme::model
