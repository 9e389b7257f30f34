#pragma once
#include <string>

namespace trireme::testing {

/// A small Llama's config.json with `more` (", \"key\": value") added.
inline std::string llama_config(const std::string& more = "") {
  return R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
"num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 64, "max_position_embeddings": 128)" +
         more + "}";
}

}  // namespace trireme::testing
