#include "tests/cuda/models_on_device.h"

#include <stdexcept>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/config.h"
#include "model/layout.h"
#include "model/nf4.h"
#include "sharding/codecs/nf4.h"
#include "sharding/gradient_sink.h"
#include "sharding/layout.h"
#include "tests/model/tiny_config.h"
#include "tests/model/whole_model.h"

namespace trireme::tests {
namespace {

using trireme::testing::llama_config;
using trireme::testing::WholeModel;

constexpr std::int64_t rows = 3, length = 40;

std::string family(const std::string& architecture, const std::string& more) {
  return R"({"architectures": [")" + architecture +
         R"("], "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
      "head_dim": 8, "intermediate_size": 48, "vocab_size": 64, "max_position_embeddings": 128)" +
         more + "}";
}

at::Tensor in_four_bits(const at::Tensor& values) {
  at::Tensor bytes = at::empty({sharding::Nf4Shape(values.numel()).bytes()}, at::kByte);
  sharding::quantise_nf4({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())},
                         bytes.data_ptr<std::uint8_t>());
  return bytes;
}

std::int64_t elements_of(const model::ModelSpec& spec, const std::string& weight) {
  for (std::int64_t layer = 0; layer < spec.layers; ++layer)
    for (const sharding::Parameter& parameter : model::block_layout(spec, layer).parameters)
      if (parameter.name == weight) return sharding::element_count(parameter);
  throw std::runtime_error("no block has " + weight);
}

model::ModelSpec spec_of(const ModelCase& each) {
  model::ModelSpec spec = model::parse_config(each.config, "config.json");
  spec.vocabulary_chunk = each.vocabulary_chunk;
  return spec;
}

/// Trained weights in fp32, frozen ones as they are multiplied.
WholeModel make_model(const ModelCase& each, at::ScalarType compute) {
  const model::ModelSpec spec = spec_of(each);
  at::manual_seed(21);
  WholeModel whole{model::build_model(spec, compute, each.lora), {}};
  for (const auto& group : whole.model.groups) {
    std::vector<at::Tensor> tensors;
    for (const auto& parameter : group.parameters) {
      if (model::is_nf4(parameter.name)) {
        tensors.push_back(
            in_four_bits(at::randn({elements_of(spec, model::name_without_nf4(parameter.name))}).mul_(0.2)));
      } else {
        const at::Tensor values = at::randn(parameter.shape).mul_(0.2);
        tensors.push_back(group.trainable ? values.requires_grad_(true) : values.to(compute));
      }
    }
    whole.weights.push_back(std::move(tensors));
  }
  return whole;
}

sharding::Context context_of(const ModelCase& each, std::uint64_t micro_batch) {
  sharding::Context context;
  at::manual_seed(31 + micro_batch);
  context.tokens = at::randint(64, {rows, length}, at::kLong);
  context.labels = at::randint(64, {rows, length}, at::kLong);
  context.labels.narrow(1, 5, 7).fill_(-100);
  context.positions = testing::row_positions(context.tokens);
  if (each.packed) {
    context.document_bounds = at::tensor({0, 17, 40, 41, 41, 90, 120}, at::kInt);
    context.longest_document = 49;
  }
  context.loss_weight = 1.0 / context.labels.ne(-100).sum().item<double>();
  context.seed = 77, context.step = 5, context.first_sample = 9 + micro_batch, context.sample_stride = 2;
  context.in_backward = true;
  return context;
}

void move(WholeModel& whole, at::Device place) {
  for (auto& group : whole.weights)
    for (at::Tensor& weight : group)
      weight = weight.detach().to(place).requires_grad_(weight.requires_grad());
}

void move(sharding::Context& context, at::Device place) {
  for (at::Tensor* tensor : {&context.tokens, &context.labels, &context.positions})
    *tensor = tensor->to(place);
}

struct Passed {
  std::vector<double> losses;
  std::map<std::string, at::Tensor> gradients;
};

/// As the engine does: gradients of two micro-batches are summed in their slots, or come through autograd.
Passed train(const ModelCase& each, at::ScalarType compute, at::Device place) {
  WholeModel whole = make_model(each, compute);
  move(whole, place);
  std::vector<at::Tensor> leaves, sums;
  std::vector<std::string> names;
  for (std::size_t g = 0; g < whole.weights.size(); ++g)
    for (std::size_t i = 0; i < whole.weights[g].size(); ++i)
      if (whole.weights[g][i].requires_grad()) {
        const sharding::Parameter& parameter = whole.model.groups[g].parameters[i];
        leaves.push_back(whole.weights[g][i]);
        sums.push_back(at::full(leaves.back().sizes(), 7.0, leaves.back().options().requires_grad(false)));
        names.push_back(parameter.name + " from " + std::to_string(parameter.first));
      }
  Passed passed;
  for (std::uint64_t micro_batch = 0; micro_batch < 2; ++micro_batch) {
    sharding::Context context = context_of(each, micro_batch);
    move(context, place);
    context.gradients = c10::make_intrusive<sharding::GradientSink>();
    for (std::size_t i = 0; i < leaves.size(); ++i)
      context.gradients->open(leaves[i], sums[i], micro_batch > 0);
    const at::Tensor loss = whole.forward(context).loss;
    EXPECT_EQ(loss.device().type(), place.type()) << each.name;
    const auto made = torch::autograd::grad({loss}, leaves, {}, false, false, true);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      if (context.gradients->written(leaves[i])) continue;
      const at::Tensor gradient = made[i].defined() ? made[i] : at::zeros_like(sums[i]);
      micro_batch > 0 ? sums[i].add_(gradient) : sums[i].copy_(gradient);
    }
    passed.losses.push_back(loss.item<double>());
  }
  for (std::size_t i = 0; i < sums.size(); ++i) passed.gradients.emplace(names[i], sums[i].to(at::kCPU));
  return passed;
}

struct Evaluated {
  double loss = 0;
  std::int64_t hits = 0;
  at::Tensor logits;
};

Evaluated evaluate(const ModelCase& each, at::Device place) {
  const at::NoGradGuard guard;
  WholeModel whole = make_model(each, at::kFloat);
  move(whole, place);
  sharding::Context context = context_of(each, 0);
  move(context, place);
  context.training = context.in_backward = false;
  const at::Tensor labels = std::exchange(context.labels, at::Tensor());
  Evaluated made;
  const at::Tensor logits = whole.forward(context).hidden;
  made.logits = logits.to(at::kCPU);
  // Some labels are right, so that there is something to count.
  context.labels = at::where(labels.remainder(2).eq(0), logits.argmax(-1), labels);
  const sharding::Activation scored = whole.forward(context);
  made.loss = scored.loss.item<double>(), made.hits = scored.more.at(0).item<std::int64_t>();
  return made;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return (x - y).abs().max().item<double>() / std::max(y.abs().max().item<double>(), 1e-30);
}

}  // namespace

std::vector<ModelCase> model_cases() {
  const std::vector<std::string> all{"norm", "norm_backward", "rotate", "swiglu", "swiglu_backward"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), all.begin(), all.end());
    return more;
  };
  const model::LoraSettings dropping{.rank = 4, .dropout = 0.25};
  const model::LoraSettings four_bits{.rank = 4, .dropout = 0.1, .four_bit_base = true};
  return {
      {"llama", llama_config(), {}, 0, false, with({"softmax_loss"})},
      {"packed documents", llama_config(), {}, 0, true, with({"softmax_loss"})},
      {"tied, norms of queries and keys",
       family("Qwen3ForCausalLM", R"(, "tie_word_embeddings": true)"),
       {},
       0,
       false,
       with({"softmax_loss"})},
      {"caps, windows and norms after",
       family("Gemma2ForCausalLM",
              R"(, "sliding_window": 9, "attn_logit_softcapping": 20.0, "final_logit_softcapping": 5.0)"),
       {},
       0,
       true,
       {"norm", "norm_backward", "rotate", "softmax_loss"}},
      {"a fused projection", family("Phi3ForCausalLM", ""), {}, 0, false, with({"softmax_loss"})},
      {"experts",
       family("MixtralForCausalLM", R"(, "num_local_experts": 3)"),
       {},
       0,
       false,
       with({"softmax_loss"})},
      {"a vocabulary in chunks",
       llama_config(),
       {},
       24,
       false,
       with({"add_chunk_rows", "chunk_rows_backward"})},
      {"adapters with dropout", llama_config(), dropping, 0, false, with({"softmax_loss", "dropout_mask"})},
      {"adapters beside 4 bits", llama_config(), four_bits, 0, true,
       with({"softmax_loss", "dropout_mask", "dequantise_nf4"})},
  };
}

void ModelsOnDevice::expect_alike(const ModelCase& each, at::ScalarType compute, const Compared& allowed) {
  const Passed wanted = train(each, compute, at::kCPU);
  device_.watched().forget();
  const ComputingOn computing(device_);
  const Passed found = train(each, compute, place_);
  for (std::size_t i = 0; i < wanted.losses.size(); ++i)
    EXPECT_NEAR(found.losses[i] / wanted.losses[i], 1, allowed.loss) << each.name << " in " << compute;
  for (const auto& [name, gradient] : wanted.gradients)
    EXPECT_LE(difference(found.gradients.at(name), gradient), allowed.gradient)
        << each.name << " in " << compute << ", " << name;
  for (const std::string& kernel : each.kernels)
    EXPECT_GT(device_.watched().calls(kernel), 0) << each.name << " in " << compute << ", " << kernel;
}

void ModelsOnDevice::expect_the_same_twice(const ModelCase& each, at::ScalarType compute) {
  const ComputingOn computing(device_);
  const Passed first = train(each, compute, place_), second = train(each, compute, place_);
  EXPECT_EQ(first.losses, second.losses) << each.name;
  for (const auto& [name, gradient] : first.gradients)
    EXPECT_TRUE(at::equal(gradient, second.gradients.at(name))) << each.name << ", " << name;
}

void ModelsOnDevice::expect_alike_in_evaluation(const ModelCase& each) {
  const Evaluated wanted = evaluate(each, at::kCPU);
  const ComputingOn computing(device_);
  const Evaluated found = evaluate(each, place_);
  EXPECT_NEAR(found.loss / wanted.loss, 1, 1e-6) << each.name;
  EXPECT_EQ(found.hits, wanted.hits) << each.name;
  EXPECT_LE(difference(found.logits, wanted.logits), 1e-5) << each.name;
}

}  // namespace trireme::tests
