#include "model/lora.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/device_kernels.h"
#include "core/error.h"
#include "model/kernels/kernel_for.h"
#include "model/linear.h"
#include "model/philox.h"

namespace trireme::model {
namespace {

constexpr std::string_view weight_suffix = ".weight", a_suffix = ".lora_A.weight",
                           b_suffix = ".lora_B.weight";

std::string last_part(const std::string& module) {
  return module.substr(module.rfind('.') + 1);
}

/// The router stays as it was trained.
std::vector<Affine> linears_of(const BlockLayout& block) {
  std::vector<Affine> all{block.query,         block.key,  block.value, block.fused_query_key_value,
                          block.attention_out, block.gate, block.up,    block.fused_gate_up,
                          block.down};
  for (const Expert& expert : block.experts) all.insert(all.end(), {expert.gate, expert.up, expert.down});
  return all;
}

std::string module_of(const BlockLayout& block, const Affine& affine) {
  const std::string& name = block.parameters[static_cast<std::size_t>(affine.weight)].name;
  return name.substr(0, name.size() - weight_suffix.size());
}

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3ull;
  return hash;
}

std::array<std::uint32_t, 2> halves(std::uint64_t value) {
  return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
}

/// In [0, 1), with the 24 bits that a float holds.
float unit_float(std::uint32_t bits) {
  return static_cast<float>(bits >> 8) * 0x1p-24f;
}

/// One over the share that is kept where an element is kept, else zero; a row of `x` is a sample, its global
/// number the same for any number of ranks.
at::Tensor dropout_mask(const at::Tensor& x, double dropout, const sharding::Context& context,
                        std::uint64_t site) {
  const std::int64_t samples = x.size(0), each = x.numel() / std::max<std::int64_t>(samples, 1);
  const auto key = halves(context.seed ^ site * 0x9e3779b97f4a7c15ull);
  const auto kept = static_cast<float>(1.0 / (1.0 - dropout));
  if (const auto kernel = kernels::kernel_for(x); kernel && kernel->device) {
    at::Tensor mask = at::empty(x.sizes(), x.options());
    kernel->device->dropout_mask({mask.data_ptr(), samples, each, key, context.first_sample,
                                  context.sample_stride, context.step, dropout, kept},
                                 kernel->type);
    return mask;
  }
  at::Tensor mask = at::empty(x.sizes(), at::kFloat);
  auto* values = mask.data_ptr<float>();
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    const auto number = static_cast<std::uint32_t>(context.first_sample + static_cast<std::uint64_t>(sample) *
                                                                              context.sample_stride);
    for (std::int64_t i = 0; i < each; i += 4) {
      const auto index = halves(static_cast<std::uint64_t>(i) / 4);
      const auto bits = philox({index[0], index[1] ^ static_cast<std::uint32_t>(context.step >> 32), number,
                                static_cast<std::uint32_t>(context.step)},
                               key);
      for (std::int64_t k = i; k < std::min(i + 4, each); ++k)
        values[sample * each + k] = unit_float(bits[static_cast<std::size_t>(k - i)]) < dropout ? 0.0f : kept;
    }
  }
  return mask.to(x.device(), x.scalar_type());
}

}  // namespace

double LoraSettings::scale() const {
  const auto r = static_cast<double>(rank);
  return alpha / (rank_stabilized ? std::sqrt(r) : r);
}

LoraLayout lora_layout(const ModelSpec& spec, const LoraSettings& lora, std::int64_t layer) {
  const BlockLayout block = block_layout(spec, layer);
  LoraLayout layout;
  layout.of_weight.resize(block.parameters.size());
  for (const Affine& affine : linears_of(block)) {
    if (affine.weight < 0) continue;
    const std::string module = module_of(block, affine);
    if (!lora.targets.empty() &&
        std::find(lora.targets.begin(), lora.targets.end(), last_part(module)) == lora.targets.end())
      continue;
    const auto& shape = block.parameters[static_cast<std::size_t>(affine.weight)].shape;
    const std::int64_t in = shape[spec.transposed ? 0 : 1], out = shape[spec.transposed ? 1 : 0];
    const int next = static_cast<int>(layout.parameters.size());
    layout.of_weight[static_cast<std::size_t>(affine.weight)] = {next, next + 1};
    layout.parameters.push_back({fmt::format("{}{}", module, a_suffix), {lora.rank, in}});
    layout.parameters.push_back({fmt::format("{}{}", module, b_suffix), {out, lora.rank}});
  }
  return layout;
}

std::vector<char> linear_weights(const BlockLayout& block) {
  std::vector<char> is(block.parameters.size(), 0);
  for (const Affine& affine : linears_of(block))
    if (affine.weight >= 0) is[static_cast<std::size_t>(affine.weight)] = 1;
  return is;
}

void check_targets(const ModelSpec& spec, const LoraSettings& lora) {
  if (spec.experts > 0 && lora.dropout > 0)
    fail(ExitCode::configuration,
         "lora_dropout: what a {} drops would depend on how its router deals positions; set it to 0",
         spec.architecture);
  const BlockLayout block = block_layout(spec, 0);
  std::vector<std::string> known;
  for (const Affine& affine : linears_of(block))
    if (affine.weight >= 0) known.push_back(last_part(module_of(block, affine)));
  for (const std::string& target : lora.targets)
    if (std::find(known.begin(), known.end(), target) == known.end())
      fail(ExitCode::configuration, "lora_target_modules: a {} has no linear layer {}; its blocks have {}",
           spec.architecture, target.substr(0, 80), fmt::join(known, ", "));
}

bool is_lora_a(std::string_view parameter) {
  return parameter.ends_with(a_suffix);
}
bool is_lora_b(std::string_view parameter) {
  return parameter.ends_with(b_suffix);
}

void initial_lora(const sharding::Parameter& parameter, std::uint64_t seed, std::int64_t first,
                  std::span<float> into) {
  if (is_lora_b(parameter.name)) return std::fill(into.begin(), into.end(), 0.0f);
  const auto key = halves(seed), name = halves(hash_of(parameter.name));
  const auto bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(parameter.shape[1])));
  for (std::size_t i = 0; i < into.size(); ++i) {
    const auto index = halves(static_cast<std::uint64_t>(first) + i);
    const auto bits = philox({index[0], index[1], name[0], name[1]}, key);
    into[i] = bound * (2.0f * unit_float(bits[0]) - 1.0f);
  }
}

at::Tensor lora_output(const Remakable& x, const at::Tensor& a, const at::Tensor& b, const LoraSettings& lora,
                       const sharding::Context& context, std::uint64_t site) {
  const bool drops = lora.dropout > 0 && context.training;
  const Remakable input =
      drops ? Remakable{x.value * dropout_mask(x.value, lora.dropout, context, site), {}} : x;
  const at::Tensor narrow = linear(input, a, {}, false, context.gradients);
  return linear({narrow, {}}, b, {}, false, context.gradients) * lora.scale();
}

}  // namespace trireme::model
