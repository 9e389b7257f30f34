#include "tests/peaks/measure.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include <ATen/ATen.h>

#include "comm/threads/thread_world.h"
#include "model/build.h"
#include "model/work.h"
#include "optim/adamw.h"
#include "sharding/engine.h"
#include "tests/io/scratch.h"
#include "tests/peaks/counted_memory.h"

namespace trireme::peaks {
namespace {

using exactness::Case;
using exactness::Tuning;
using sharding::Tier;

std::optional<model::LoraSettings> adapters_of(const Case& one) {
  if (one.tuning == Tuning::full) return {};
  model::LoraSettings lora;
  lora.rank = 4;
  lora.four_bit_base = one.tuning == Tuning::qlora;
  return lora;
}

std::vector<sharding::Context> batch_of(const Form& form, int micro_batches) {
  std::vector<sharding::Context> contexts(static_cast<std::size_t>(micro_batches));
  for (sharding::Context& context : contexts) {
    context.tokens = at::randint(form.spec.vocabulary, {form.rows, form.sequence}, at::kLong);
    context.labels = context.tokens.roll(-1, 1);
    context.positions = at::arange(form.sequence, at::kLong).expand({form.rows, form.sequence}).contiguous();
    context.loss_weight = 1.0 / static_cast<double>(form.rows * form.sequence * micro_batches);
  }
  return contexts;
}

Peaks peaks_of_rank(const Form& form, const Case& one, const std::filesystem::path& drive,
                    comm::World& world) {
  const int rank = world.rank();
  work_for(rank);
  const bool narrow = one.compute == sharding::Codec::bf16;
  const auto placement = placement_of(one);
  const auto lora = adapters_of(one);
  model::ModelSpec spec = form.spec;
  spec.vocabulary_chunk = one.vocabulary_chunk;
  sharding::EngineOptions options;
  options.tiers.nvme_paths = {drive};
  options.tiers.part_elements = 1 << 14;
  options.keeps_gradients = one.micro_batches > 1;
  sharding::Engine engine(model::build_model(spec, narrow ? at::kBFloat16 : at::kFloat, lora), placement,
                          std::make_unique<optim::AdamW>(optim::AdamWSettings{}), world, options);
  engine.load([](const sharding::Parameter&, std::int64_t begin, std::span<float> into) {
    for (float& value : into) value = 0.02F * std::sin(static_cast<float>(begin++));
  });
  engine.executor().before_each([rank](const sharding::Schedule&, int) { work_for(rank); });
  for (int step = 1; step <= 3; ++step) {
    if (step == 3) begin_peak(rank);
    sharding::StepInput input;
    input.micro_batches = batch_of(form, one.micro_batches);
    input.learning_rate = 1e-3, input.max_norm = 1.0, input.step = step;
    engine.train(input);
  }
  const sharding::Schedule& schedule =
      engine.schedule(sharding::ScheduleOptions::Purpose::train, one.micro_batches);
  const auto work = model::work_of(
      spec, model::shape_here(spec, form.rows, form.sequence, narrow ? DType::bf16 : DType::f32), lora);
  const sharding::MemoryForecast forecast =
      forecast_memory(engine.blueprint(), placement, schedule, optim::AdamW({}).states(), work);
  const sharding::MemoryUse use = engine.memory();
  const auto totals = forecast.totals();
  Peaks peaks;
  for (const sharding::MemoryLine& line : forecast.passing) peaks.activations.foretold += line.bytes;
  peaks.activations.measured = peak_of(rank);
  peaks.device = {totals[static_cast<std::size_t>(Tier::device)], use.states + use.parameter_slots +
                                                                      use.gradient_slots + use.landing +
                                                                      use.wires + peaks.activations.measured};
  peaks.host = {totals[static_cast<std::size_t>(Tier::host)], use.host()};
  peaks.nvme = {totals[static_cast<std::size_t>(Tier::nvme)], use.tiers.nvme};
  return peaks;
}

}  // namespace

Peaks measure(const Form& form, const Case& one) {
  count_tensor_memory();
  const trireme::testing::Scratch drive;
  Peaks most;
  std::mutex mutex;
  comm::run_ranks(
      one.ranks,
      [&](comm::World& world) {
        const Peaks mine = peaks_of_rank(form, one, drive.path(), world);
        const std::lock_guard lock(mutex);
        if (mine.device.measured > most.device.measured) most = mine;
      },
      exactness::nodes_of(one.ranks));
  return most;
}

}  // namespace trireme::peaks
