#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/layout.h"
#include "model/remade.h"
#include "sharding/unit.h"

namespace trireme::model {

/// Low-rank adapters beside frozen linear layers: y = W x + scale · B A dropout(x).
struct LoraSettings {
  std::int64_t rank = 8;
  double alpha = 16;
  double dropout = 0;
  /// Scales by alpha / sqrt(rank) instead of alpha / rank.
  bool rank_stabilized = false;
  /// Last parts of the names of the layers that get one ("q_proj"); empty: every linear layer of the blocks.
  std::vector<std::string> targets;
  /// The frozen linear layers of the blocks are kept in 4 bits (QLoRA).
  bool four_bit_base = false;

  double scale() const;
  friend bool operator==(const LoraSettings&, const LoraSettings&) = default;
};

/// Where the adapter of a linear layer is in its group's list; −1: it has none.
struct Adapter {
  int a = -1, b = -1;
};

struct LoraLayout {
  std::vector<sharding::Parameter> parameters;
  /// For each parameter of the block, by index.
  std::vector<Adapter> of_weight;
};

/// The adapters of one block, named like peft's without "base_model.model.": "….q_proj.lora_A.weight".
LoraLayout lora_layout(const ModelSpec& spec, const LoraSettings& lora, std::int64_t layer);
/// Whether each of the block's parameters is the weight of a linear layer.
std::vector<char> linear_weights(const BlockLayout& block);
/// Throws an Error (configuration) where a target names no linear layer of the model.
void check_targets(const ModelSpec& spec, const LoraSettings& lora);

bool is_lora_a(std::string_view parameter);
bool is_lora_b(std::string_view parameter);
/// Values of an untrained adapter from element `first` on: A uniform within ±1/sqrt(inputs), B zero. They
/// depend on seed, name and element alone.
void initial_lora(const sharding::Parameter& parameter, std::uint64_t seed, std::int64_t first,
                  std::span<float> into);

/// scale · B A dropout(x). What is dropped depends on the context's seed, step and samples and on `site`.
at::Tensor lora_output(const Remakable& x, const at::Tensor& a, const at::Tensor& b, const LoraSettings& lora,
                       const sharding::Context& context, std::uint64_t site);

}  // namespace trireme::model
