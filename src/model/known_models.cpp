#include "model/known_models.h"

#include <array>

#include <fmt/format.h>

#include "model/config.h"

namespace trireme::model {
namespace {

enum class Form : std::uint8_t { llama, llama_with_biases, qwen2, qwen3, gpt2 };

/// Sizes from the models' own config.json files and, for MPT, its paper.
struct Row {
  std::string_view name;
  Form form;
  std::int64_t hidden, layers, heads, key_value_heads, intermediate, vocabulary;
  bool tied = false;
};

constexpr std::array rows{
    Row{"llama-2-7b", Form::llama, 4096, 32, 32, 32, 11008, 32000},
    Row{"llama-2-13b", Form::llama, 5120, 40, 40, 40, 13824, 32000},
    Row{"llama-2-70b", Form::llama, 8192, 80, 64, 8, 28672, 32000},
    Row{"llama-3-8b", Form::llama, 4096, 32, 32, 8, 14336, 128256},
    Row{"llama-3-13b", Form::llama, 5120, 40, 40, 8, 17920, 128256},
    Row{"llama-3-70b", Form::llama, 8192, 80, 64, 8, 28672, 128256},
    Row{"llama-3-405b", Form::llama, 16384, 126, 128, 8, 53248, 128256},
    Row{"llama-3.2-1b", Form::llama, 2048, 16, 32, 8, 8192, 128256, true},
    Row{"llama-3.2-3b", Form::llama, 3072, 28, 24, 8, 8192, 128256, true},
    Row{"internlm-7b", Form::llama_with_biases, 4096, 32, 32, 32, 11008, 103168},
    Row{"yi-34b", Form::llama, 7168, 60, 56, 8, 20480, 64000},
    Row{"qwen2.5-0.5b", Form::qwen2, 896, 24, 14, 2, 4864, 151936, true},
    Row{"qwen2.5-1.5b", Form::qwen2, 1536, 28, 12, 2, 8960, 151936, true},
    Row{"qwen2.5-3b", Form::qwen2, 2048, 36, 16, 2, 11008, 151936, true},
    Row{"qwen2.5-7b", Form::qwen2, 3584, 28, 28, 4, 18944, 152064},
    Row{"qwen2.5-14b", Form::qwen2, 5120, 48, 40, 8, 13824, 152064},
    Row{"qwen2.5-32b", Form::qwen2, 5120, 64, 40, 8, 27648, 152064},
    Row{"qwen3-0.6b", Form::qwen3, 1024, 28, 16, 8, 3072, 151936, true},
    Row{"qwen3-1.7b", Form::qwen3, 2048, 28, 16, 8, 6144, 151936, true},
    Row{"qwen3-4b", Form::qwen3, 2560, 36, 32, 8, 9728, 151936, true},
    Row{"qwen3-8b", Form::qwen3, 4096, 36, 32, 8, 12288, 151936},
    Row{"qwen3-14b", Form::qwen3, 5120, 40, 40, 8, 17408, 151936},
    Row{"qwen3-32b", Form::qwen3, 5120, 64, 64, 8, 25600, 151936},
    Row{"mpt-125m", Form::gpt2, 768, 12, 12, 12, 3072, 50368, true},
    Row{"mpt-350m", Form::gpt2, 1024, 24, 16, 16, 4096, 50368, true},
    Row{"mpt-760m", Form::gpt2, 1536, 24, 12, 12, 6144, 50368, true},
    Row{"mpt-1b", Form::gpt2, 2048, 24, 16, 16, 8192, 50368, true},
    Row{"mpt-3b", Form::gpt2, 2560, 32, 20, 20, 10240, 50368, true},
    Row{"mpt-7b", Form::gpt2, 4096, 32, 32, 32, 16384, 50368, true},
    Row{"mpt-13b", Form::gpt2, 5120, 40, 40, 40, 20480, 50368, true},
    Row{"mpt-30b", Form::gpt2, 7168, 48, 64, 64, 28672, 50368, true},
    Row{"mpt-70b", Form::gpt2, 8192, 80, 64, 64, 32768, 50368, true},
};

std::string config_of(const Row& row, std::int64_t positions) {
  if (row.form == Form::gpt2)
    return fmt::format(
        R"({{"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","n_embd":{},"n_layer":{},"n_head":{},"n_positions":{},"vocab_size":{},"activation_function":"gelu_new","tie_word_embeddings":true}})",
        row.hidden, row.layers, row.heads, positions, row.vocabulary);
  const bool second = row.form == Form::qwen2, third = row.form == Form::qwen3;
  std::string text = fmt::format(
      R"({{"architectures":["{}"],"model_type":"{}","hidden_size":{},"num_hidden_layers":{},"num_attention_heads":{},"num_key_value_heads":{},"intermediate_size":{},"vocab_size":{},"max_position_embeddings":{},"tie_word_embeddings":{})",
      second  ? "Qwen2ForCausalLM"
      : third ? "Qwen3ForCausalLM"
              : "LlamaForCausalLM",
      second  ? "qwen2"
      : third ? "qwen3"
              : "llama",
      row.hidden, row.layers, row.heads, row.key_value_heads, row.intermediate, row.vocabulary, positions,
      row.tied);
  if (third) text += R"(,"head_dim":128)";
  if (row.form == Form::llama_with_biases) text += R"(,"attention_bias":true)";
  return text + "}";
}

}  // namespace

std::optional<ModelSpec> known_model(std::string_view name, std::int64_t positions) {
  for (const Row& row : rows)
    if (row.name == name) return parse_config(config_of(row, positions), std::string(name));
  return std::nullopt;
}

std::vector<std::string_view> known_model_names() {
  std::vector<std::string_view> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

}  // namespace trireme::model
