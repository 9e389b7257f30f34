#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config.h"
#include "model/layout.h"
#include "tests/io/scratch.h"
#include "tests/model/tiny_config.h"
#include "train/pretrained.h"

namespace trireme::model {
namespace {

using ::testing::HasSubstr;
using trireme::testing::llama_config;
using trireme::testing::message_of;

std::vector<io::StoredTensor> stored_tensors(const ModelSpec& spec) {
  std::vector<io::StoredTensor> tensors;
  for (const auto& group : parameter_groups(spec))
    for (const auto& parameter : group.parameters)
      tensors.push_back({parameter.name, DType::bf16, parameter.shape, 0, 0});
  return tensors;
}

std::map<std::string, std::string> match(const ModelSpec& spec,
                                         const std::vector<io::StoredTensor>& tensors) {
  std::vector<const io::StoredTensor*> pointers;
  for (const auto& tensor : tensors) pointers.push_back(&tensor);
  return train::match_tensors(parameter_groups(spec), spec, pointers, "folder");
}

TEST(MatchTensors, NamesWhatIsWrong) {
  const ModelSpec spec = parse_config(llama_config(), "config.json");
  const auto good = stored_tensors(spec);
  EXPECT_EQ(match(spec, good).size(), good.size());
  auto missing = good;
  missing.erase(missing.begin() + 3);
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { match(spec, missing); }),
              HasSubstr("the tensor model.layers.0.self_attn.k_proj.weight is missing"));
  auto extra = good;
  extra.push_back({"model.layers.2.mlp.up_proj.weight", DType::bf16, {1}, 0, 0});
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { match(spec, extra); }),
              HasSubstr("model.layers.2.mlp.up_proj.weight has no place"));
  auto shaped = good;
  shaped[0].shape = {63, 32};
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { match(spec, shaped); }),
              HasSubstr("model.embed_tokens.weight has the shape [63, 32]; config.json asks for [64, 32]"));
}

TEST(MatchTensors, PassesOverWhatOldWritersStored) {
  const ModelSpec spec = parse_config(llama_config(R"(, "tie_word_embeddings": true)"), "config.json");
  auto tensors = stored_tensors(spec);
  tensors.push_back({"lm_head.weight", DType::bf16, {64, 32}, 0, 0});
  tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", DType::f32, {4}, 0, 0});
  EXPECT_EQ(match(spec, tensors).size(), tensors.size() - 2);
}

TEST(MatchTensors, FindsNamesWithoutTheBasePrefix) {
  const ModelSpec spec = parse_config(
      R"({"model_type": "gpt2", "n_embd": 32, "n_head": 4, "n_layer": 1, "n_positions": 8, "vocab_size": 9})",
      "config.json");
  auto tensors = stored_tensors(spec);
  for (auto& tensor : tensors) tensor.name = tensor.name.substr(std::string("transformer.").size());
  tensors.push_back({"h.0.attn.bias", DType::f32, {1, 1, 8, 8}, 0, 0});
  EXPECT_EQ(match(spec, tensors).at("transformer.h.0.mlp.c_fc.bias"), "h.0.mlp.c_fc.bias");
}

}  // namespace
}  // namespace trireme::model
