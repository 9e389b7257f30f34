#include <algorithm>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "cli/loaded_model.h"
#include "cli/measuring_site.h"
#include "cli/short_training.h"
#include "cli/step_report.h"
#include "core/log.h"
#include "model/attention.h"
#include "model/linear.h"
#include "sharding/predict/costs.h"
#include "sharding/presets.h"

namespace trireme::cli {
namespace {

/// What an operation takes however little it computes, where all threads take part: what is left of two sizes
/// that the caches hold.
double seconds_of_an_operation(const MeasuringSite& site) {
  constexpr std::int64_t least = std::int64_t{1} << 16;
  const auto seconds = [&](std::int64_t elements) {
    const at::Tensor from = site.random({elements}, at::kFloat), other = at::ones_like(from);
    at::Tensor into = at::empty_like(from);
    return site.watch().seconds([&] { at::add_out(into, from, other); });
  };
  return std::max(0.0, 2 * seconds(least) - seconds(2 * least));
}

/// Passes over arrays that no cache holds; those of GPUs are larger.
double copied_bytes_per_s(const MeasuringSite& site) {
  const std::int64_t elements = std::int64_t{1} << (site.device() ? 25 : 24);
  const at::Tensor from = site.random({elements}, at::kFloat), into = at::empty_like(from);
  const double copied = 2.0 * static_cast<double>(from.numel()) * sizeof(float);
  return copied / site.watch().seconds([&] { at::empty_like(into).copy_(from); });
}

}  // namespace

void measure_computation(sharding::Machine& machine, const jobs::JobSpec& job, const model::ModelSpec& spec,
                         MeasuringSite& site, sharding::Codec codec) {
  const ShortTraining training = train_shortly(job, spec, site.worlds(), codec);
  site.lane().enter();
  const Stopwatch& watch = site.watch();
  const auto& units = training.work.units;
  const auto blocks = static_cast<double>(std::count_if(units.begin(), units.end(), is_block));
  const at::ScalarType compute = scalar_type(codec);
  const bool fp32 = codec == sharding::Codec::fp32;
  const sharding::UnitWork& block = *std::find_if(units.begin(), units.end(), is_block);
  const at::AutoGradMode no_grad(false);

  double flops = 0, products_s = 0;
  for (const sharding::Product& product : block.products) {
    const auto m = static_cast<std::int64_t>(product.m), n = static_cast<std::int64_t>(product.n),
               k = static_cast<std::int64_t>(product.k);
    const at::Tensor x = site.random({m, k}, compute), weight = site.random({n, k}, compute);
    products_s += watch.seconds([&] { model::multiply(x, weight, {}, false); });
    flops += product.flops();
  }
  machine.matrix_share = 1, machine.small_dimension = machine.small_rows = 0;

  const auto heads = [&](std::int64_t count) {
    return site.random({job.micro_batch_size, job.sequence_len, count, spec.head_size}, compute);
  };
  const at::Tensor query = heads(spec.heads), key = heads(spec.key_value_heads),
                   value = heads(spec.key_value_heads);
  const double attention_s =
      watch.seconds([&] { model::attend(query, key, value, {}, 0, spec.attention_scale); });

  machine.memory_bytes_per_s = copied_bytes_per_s(site);

  const double forward_s = training.blocks_forward_s / blocks;
  // Each product and each other operation is one; together they are never most of a block.
  const auto operations = static_cast<double>(block.products.size()) + block.kernels;
  machine.kernel_s = std::min(seconds_of_an_operation(site), forward_s / 2 / operations);
  products_s -= static_cast<double>(block.products.size()) * machine.kernel_s;
  const double computed_s = std::max(products_s, forward_s / 10) + attention_s,
               within_s = forward_s - operations * machine.kernel_s;
  // What is left of a block can take no less than its bytes; if all parts by themselves take longer than the
  // block, it is because each of them finds less in the caches.
  const double least_s = block.elementwise_bytes / machine.memory_bytes_per_s;
  const double rest_s = std::max(within_s - computed_s, std::min(least_s, within_s / 2));
  const double share = (within_s - rest_s) / computed_s;
  machine.memory_share = block.elementwise_bytes / rest_s / machine.memory_bytes_per_s;
  (fp32 ? machine.matrix_flops_fp32 : machine.matrix_flops) = flops / ((computed_s - attention_s) * share);
  machine.attention_share = block.attention_flops / flops * (computed_s - attention_s) / attention_s;

  machine.backward_factor = machine.head_factor = 1;
  double backward_s = 0, head_s = 0;
  for (const sharding::UnitWork& unit : units)
    if (is_block(unit)) backward_s += sharding::backward_seconds(unit, machine, fp32);
  machine.backward_factor = training.blocks_backward_s / backward_s;
  for (const sharding::UnitWork& unit : units)
    if (unit.scores)
      head_s +=
          sharding::forward_seconds(unit, machine, fp32) + sharding::backward_seconds(unit, machine, fp32);
  machine.head_factor = training.head_s / head_s;
}

void measure_steps(sharding::Machine& machine, const jobs::JobSpec& job, const model::ModelSpec& spec,
                   MeasuringSite& site, sharding::Codec codec) {
  const WholeStep step = step_shortly(job, spec, site.worlds(), codec);
  sharding::Machine alone = machine;
  alone.inside = alone.across = {0, std::numeric_limits<double>::infinity()};
  alone.step_s = 0;
  const auto costs = costs_of(step.schedule, sharding::preset("ddp", codec), step.work, alone,
                              extent_of(site.worlds().hosts));
  const double counted = simulate(step.schedule, costs, alone.sharing()).step_s();
  machine.step_s = std::max(0.0, step.seconds - counted);
  if (site.everyone().rank() == 0)
    log::info("a step of the short model takes {:.4f} s, of which {:.4f} s are counted op by op",
              step.seconds, counted);
}

}  // namespace trireme::cli
