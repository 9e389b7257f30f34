#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "model/layout.h"
#include "model/rope.h"
#include "tests/io/scratch.h"
#include "tests/model/tiny_config.h"

namespace trireme::model {
namespace {

using ::testing::HasSubstr;
using trireme::testing::llama_config;
using trireme::testing::message_of;

ModelSpec parse(const std::string& text) {
  return parse_config(text, "config.json");
}
std::string refusal(const std::string& text) {
  return message_of(ExitCode::configuration, [&] { parse(text); });
}

TEST(Config, BothSpellingsOfRopeAreTheSame) {
  const RopeSpec old_way =
      parse(llama_config(R"(, "rope_theta": 500000.0, "rope_scaling": {"type": "llama3", "factor": 8.0,
    "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"))
          .rope;
  const RopeSpec new_way =
      parse(llama_config(R"(, "rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0,
    "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"))
          .rope;
  EXPECT_EQ(old_way, new_way);
  EXPECT_EQ(old_way.kind, RopeKind::llama3);
  EXPECT_EQ(old_way.theta, 500000.0);
  EXPECT_EQ(parse(llama_config()).rope.kind, RopeKind::plain);
  EXPECT_EQ(parse(llama_config(R"(, "rope_scaling": null)")).rope.theta, 10000.0);
}

TEST(Config, Llama3FrequenciesKeepShortWavesAndSlowLongOnes) {
  const RopeSpec rope{RopeKind::llama3, 500000.0, 8.0, 1.0, 4.0, 8192.0};
  const auto scaled = rope_frequencies(rope, 128);
  const auto plain = rope_frequencies({RopeKind::plain, 500000.0}, 128);
  EXPECT_EQ(scaled.front(), plain.front());
  EXPECT_DOUBLE_EQ(scaled.back(), plain.back() / 8);
}

TEST(Config, Llama3Of8BillionCounts) {
  const ModelSpec spec =
      parse(R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "tie_word_embeddings": false})");
  EXPECT_EQ(parameter_count(spec), 8030261248);
}

TEST(Config, Gpt2Counts) {
  const ModelSpec spec =
      parse(R"({"architectures": ["GPT2LMHeadModel"], "n_embd": 768, "n_head": 12, "n_layer": 12,
    "n_positions": 1024, "vocab_size": 50257, "attn_pdrop": 0.1})");
  EXPECT_EQ(parameter_count(spec), 124439808);
  EXPECT_TRUE(spec.tied);
  ASSERT_EQ(spec.notes.size(), 1u);
  EXPECT_THAT(spec.notes[0], HasSubstr("attn_pdrop = 0.1"));
}

TEST(Config, WindowsFollowTheFamilysRule) {
  const auto mistral = [](const std::string& more) {
    return parse(
               R"({"model_type": "mistral", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
      "intermediate_size": 48, "vocab_size": 64, "max_position_embeddings": 128)" +
               more + "}")
        .windows;
  };
  using Windows = std::vector<std::int64_t>;
  EXPECT_EQ(mistral(""), (Windows{4096, 4096}));
  EXPECT_EQ(mistral(R"(, "sliding_window": null)"), (Windows{0, 0}));
  EXPECT_EQ(mistral(R"(, "sliding_window": 9)"), (Windows{9, 9}));
  const auto qwen = [](const std::string& more) {
    return parse(
               R"({"model_type": "qwen2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
      "intermediate_size": 48, "vocab_size": 64, "max_position_embeddings": 128, "sliding_window": 9)" +
               more + "}")
        .windows;
  };
  EXPECT_EQ(qwen(""), (Windows{0, 0}));
  EXPECT_EQ(qwen(R"(, "use_sliding_window": true, "max_window_layers": 1)"), (Windows{0, 9}));
  EXPECT_EQ(qwen(R"(, "use_sliding_window": true, "layer_types": ["sliding_attention", "full_attention"])"),
            (Windows{9, 0}));
}

/// Sizes as published; the counts are those that the models' cards tell.
TEST(Config, LaterFamiliesAreRowsOfTheSameTable) {
  const ModelSpec gemma = parse(
      R"({"architectures": ["Gemma2ForCausalLM"], "hidden_size": 2304, "num_hidden_layers": 26, "num_attention_heads": 8,
      "num_key_value_heads": 4, "head_dim": 256, "intermediate_size": 9216, "vocab_size": 256000,
      "max_position_embeddings": 8192, "query_pre_attn_scalar": 256, "sliding_window": 4096, "hidden_act": "gelu_pytorch_tanh"})");
  EXPECT_EQ(parameter_count(gemma), 2614341888);
  EXPECT_EQ(gemma.windows[0], 4096);
  EXPECT_EQ(gemma.windows[1], 0);
  EXPECT_EQ(gemma.attention_cap, 50);
  EXPECT_EQ(gemma.logit_cap, 30);
  EXPECT_EQ(gemma.embedding_scale, 48);
  EXPECT_TRUE(gemma.tied);
  const ModelSpec gemma3 = parse(
      R"({"architectures": ["Gemma3ForCausalLM"], "hidden_size": 1152, "num_hidden_layers": 26, "num_attention_heads": 4,
      "num_key_value_heads": 1, "head_dim": 256, "intermediate_size": 6912, "vocab_size": 262144,
      "max_position_embeddings": 32768, "rope_theta": 1000000, "rope_local_base_freq": 10000, "sliding_window": 512,
      "sliding_window_pattern": 6, "query_pre_attn_scalar": 256})");
  EXPECT_EQ(parameter_count(gemma3), 999885952);
  EXPECT_EQ(gemma3.windows[4], 512);
  EXPECT_EQ(gemma3.windows[5], 0);
  EXPECT_EQ(gemma3.rope.theta, 1e6);
  EXPECT_EQ(gemma3.window_rope->theta, 1e4);
  const ModelSpec phi = parse(
      R"({"architectures": ["Phi3ForCausalLM"], "hidden_size": 3072, "num_hidden_layers": 32, "num_attention_heads": 32,
      "num_key_value_heads": 32, "intermediate_size": 8192, "vocab_size": 32064, "max_position_embeddings": 4096,
      "rope_scaling": null, "sliding_window": 2047})");
  EXPECT_EQ(parameter_count(phi), 3821079552);
  const ModelSpec falcon = parse(
      R"({"architectures": ["FalconForCausalLM"], "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71,
      "vocab_size": 65024, "multi_query": true, "parallel_attn": true, "bias": false, "alibi": false})");
  EXPECT_EQ(parameter_count(falcon), 6921720704);
  const ModelSpec mixtral = parse(
      R"({"architectures": ["MixtralForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
      "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 32000, "max_position_embeddings": 32768,
      "num_local_experts": 8, "num_experts_per_tok": 2, "rope_theta": 1000000.0, "sliding_window": null})");
  EXPECT_EQ(parameter_count(mixtral), 46702792704);
}

TEST(Config, RefusesByName) {
  EXPECT_THAT(refusal(R"({"architectures": ["FalconForCausalLM"], "alibi": true})"),
              HasSubstr("alibi = true is not supported"));
  EXPECT_THAT(refusal(R"({"architectures": ["BertModel"]})"),
              HasSubstr("\"BertModel\" is not supported; these are: Llama"));
  EXPECT_THAT(refusal("{}"), HasSubstr("the architecture \"\""));
  EXPECT_THAT(refusal("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal(R"({"model_type": "llama"})"), HasSubstr("hidden_size is missing"));
  EXPECT_THAT(refusal(llama_config(R"(, "hidden_act": "mish")")), HasSubstr("\"mish\""));
  EXPECT_THAT(refusal(llama_config(R"(, "head_dim": "big")")),
              HasSubstr("head_dim must be a whole number, not \"big\""));
  EXPECT_THAT(refusal(llama_config(R"(, "head_dim": 7)")), HasSubstr("must be even"));
  EXPECT_THAT(refusal(llama_config(R"(, "rms_norm_eps": 0)")), HasSubstr("rms_norm_eps must be above 0"));
  EXPECT_THAT(refusal(llama_config(R"(, "vocab_size": 3)")), HasSubstr("\"vocab_size\" is given twice"));
  EXPECT_THAT(refusal(llama_config(R"(, "quantization_config": {})")), HasSubstr("quantised"));
  EXPECT_THAT(refusal(llama_config(R"(, "rope_scaling": {"type": "yarn", "factor": 4})")),
              HasSubstr("\"yarn\""));
  EXPECT_THAT(refusal(llama_config(R"(, "rope_scaling": {"type": "llama3", "factor": 4})")),
              HasSubstr("low_freq_factor is missing"));
  EXPECT_THAT(
      refusal(
          R"({"model_type": "gpt2", "n_embd": 32, "n_head": 5, "n_layer": 2, "n_positions": 8, "vocab_size": 9})"),
      HasSubstr("not a multiple"));
  EXPECT_THAT(
      refusal(
          R"({"model_type": "gpt2", "n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 8, "vocab_size": 9,
    "scale_attn_by_inverse_layer_idx": true})"),
      HasSubstr("scale_attn_by_inverse_layer_idx = true is not supported"));
}

}  // namespace
}  // namespace trireme::model
