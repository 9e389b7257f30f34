#pragma once
#include <vector>

#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::model {

/// Where a layer's weight and bias are in its group's list of parameters; -1: it has none.
struct Affine {
  int weight = -1;
  int bias = -1;
};

struct EmbeddingLayout {
  std::vector<sharding::Parameter> parameters;
  Affine tokens, positions;
};

/// One of the MLPs that a router chooses from.
struct Expert {
  Affine gate, up, down;
};

struct BlockLayout {
  std::vector<sharding::Parameter> parameters;
  Affine attention_norm, mlp_norm, query_norm, key_norm;
  Affine after_attention_norm, after_mlp_norm;
  Affine query, key, value, fused_query_key_value, attention_out;
  Affine gate, up, fused_gate_up, down;
  Affine router;
  std::vector<Expert> experts;
};

/// `output` is -1 where the embedding's weight is used.
struct HeadLayout {
  std::vector<sharding::Parameter> parameters;
  Affine norm, output;
};

EmbeddingLayout embedding_layout(const ModelSpec& spec);
BlockLayout block_layout(const ModelSpec& spec, std::int64_t layer);
HeadLayout head_layout(const ModelSpec& spec);

/// One group for the embedding, one for each block, one for the head; a tied output weight is in the
/// embedding's.
std::vector<sharding::ParamGroup> parameter_groups(const ModelSpec& spec);
/// Number of elements over all parameters, tied ones once.
std::int64_t parameter_count(const ModelSpec& spec);

}  // namespace trireme::model
