#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace trireme::model {

enum class NormKind : std::uint8_t { rms, layer };
enum class Nonlinearity : std::uint8_t { silu, gelu, gelu_tanh, relu };
enum class RopeKind : std::uint8_t { none, plain, linear, llama3 };

struct RopeSpec {
  RopeKind kind = RopeKind::none;
  double theta = 10000.0;
  double factor = 1.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  double original_positions = 8192.0;
  friend bool operator==(const RopeSpec&, const RopeSpec&) = default;
};

/// Where a family keeps its tensors. A name without a weight is empty; "{}" stands for the block's number.
struct TensorNames {
  std::string embedding, positions, block, final_norm, head;
  std::string attention_norm, mlp_norm, query_norm, key_norm;
  std::string query, key, value, fused_query_key_value, attention_out;
  std::string gate, up, down;
};

/// Everything that the computation of a decoder-only language model depends on; made from a config.json.
struct ModelSpec {
  std::string architecture;
  TensorNames names;

  std::int64_t hidden = 0, layers = 0, heads = 0, key_value_heads = 0, head_size = 0, intermediate = 0,
               vocabulary = 0;
  std::int64_t max_positions = 0;

  NormKind norm = NormKind::rms;
  double norm_epsilon = 1e-6;
  bool query_key_norm = false;

  Nonlinearity nonlinearity = Nonlinearity::silu;
  bool gated = true;

  bool learned_positions = false;
  RopeSpec rope;
  double attention_scale = 0.0;
  /// For each layer the number of positions that a query sees, itself included; 0: all before it.
  std::vector<std::int64_t> windows;

  bool query_key_value_bias = false, attention_out_bias = false, mlp_bias = false;
  /// Linear weights are stored [in, out].
  bool transposed = false;
  bool tied = false;
  double initializer_range = 0.02;

  /// Things in the configuration that training does not do, one sentence each, for the log.
  std::vector<std::string> notes;
};

}  // namespace trireme::model
