#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/settings.h"
#include "model/spec.h"

namespace trireme::model {

/// What config.json calls a setting, and what its absence means.
struct ConfigKeys {
  std::string_view hidden = "hidden_size", layers = "num_hidden_layers", heads = "num_attention_heads";
  std::string_view key_value_heads = "num_key_value_heads", head_size = "head_dim";
  std::string_view intermediate = "intermediate_size", max_positions = "max_position_embeddings";
  std::string_view norm_epsilon = "rms_norm_eps", nonlinearity = "hidden_act";
};

/// Whether a linear layer has a bias: never, always, or as the boolean setting of this name says.
struct BiasRule {
  bool fixed = false;
  std::string_view setting = {};
};

enum class WindowRule : std::uint8_t {
  none,
  every_layer,     ///< "sliding_window" holds for all layers
  every_nth_full,  ///< "layer_types", else all layers but each n-th
  behind_a_switch  ///< only with "use_sliding_window", and only from layer "max_window_layers" on
};

/// A published architecture as data: a new one that fits the block is one more row.
struct Family {
  std::string_view architecture, model_type;
  ConfigKeys keys;
  /// Its `names`, `norm`, `gated` and the like; the sizes come from config.json.
  ModelSpec form;
  BiasRule query_key_value_bias, attention_out_bias, mlp_bias;
  WindowRule window = WindowRule::none;
  std::optional<std::int64_t> default_window;
  std::int64_t window_pattern = 0;
  std::optional<std::int64_t> default_head_size, default_max_positions;
  bool tied_by_default = false;
  std::string_view default_nonlinearity = "silu";
  /// Settings that change the computation and must have this value (as JSON) where they are given.
  std::vector<std::pair<std::string_view, std::string_view>> required = {};
  std::vector<std::string_view> dropouts = {"attention_dropout"};
  /// What the columns above do not say.
  void (*more)(const Settings& settings, ModelSpec& spec) = nullptr;
};

const std::vector<Family>& families();

Family llama();
Family mistral();
Family gemma2();
Family gemma3();
Family phi3();
Family falcon();
Family mixtral();

}  // namespace trireme::model
