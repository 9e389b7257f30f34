#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trireme::model {

/// rms_plus_one multiplies by one more than the weight.
enum class NormKind : std::uint8_t { rms, rms_plus_one, layer };
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
  /// Norms of what attention and MLP give, before it is added to what came in.
  std::string after_attention_norm, after_mlp_norm;
  std::string query, key, value, fused_query_key_value, attention_out;
  std::string gate, up, fused_gate_up, down;
  /// "{}" stands for the expert's number.
  std::string router, expert_gate, expert_up, expert_down;
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
  /// Attention and MLP read the same input; without a name for its own norm the MLP reads attention's.
  bool parallel = false;

  Nonlinearity nonlinearity = Nonlinearity::silu;
  bool gated = true;
  /// Of `experts` MLPs each position goes through the `experts_used` that its router rates highest.
  std::int64_t experts = 0, experts_used = 0;
  /// Weight of the loss that asks the router for an even load; 0: none.
  double balance_weight = 0.0;

  bool learned_positions = false;
  RopeSpec rope;
  /// That of layers with a window, where it differs.
  std::optional<RopeSpec> window_rope;
  double attention_scale = 0.0;
  /// x becomes cap · tanh(x / cap); 0: no cap.
  double attention_cap = 0.0, logit_cap = 0.0;
  double embedding_scale = 1.0;
  /// For each layer the number of positions that a query sees, itself included; 0: all before it.
  std::vector<std::int64_t> windows;

  bool query_key_value_bias = false, attention_out_bias = false, mlp_bias = false;
  /// Linear weights are stored [in, out].
  bool transposed = false;
  /// A fused query-key-value weight holds the queries of a key's head, the key and the value, head by head.
  bool fused_by_head = false;
  bool tied = false;
  double initializer_range = 0.02;
  /// Rows of the embedding, and of the head, that are a unit of their own (`vocabulary.h`); 0: all are one.
  std::int64_t vocabulary_chunk = 0;

  /// Things in the configuration that training does not do, one sentence each, for the log.
  std::vector<std::string> notes;
};

}  // namespace trireme::model
