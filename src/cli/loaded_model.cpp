#include "cli/loaded_model.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <sched.h>

#include "cli/engine_options.h"
#include "cli/job_optimizer.h"
#include "cli/load_progress.h"
#include "cli/lora.h"
#include "cli/step_report.h"
#include "cli/vocabulary.h"
#include "core/log.h"
#include "model/build.h"
#include "model/nf4.h"
#include "sharding/circles.h"
#include "train/nf4_source.h"

namespace trireme::cli {
namespace {

std::optional<train::AdapterFolder> adapter_of(const jobs::JobSpec& job, const model::ModelSpec& spec) {
  if (job.lora_model_dir.empty()) return std::nullopt;
  return train::AdapterFolder(job.lora_model_dir, spec, *lora_of(job));
}

/// Files are read, and their elements converted, by as many threads as compute later.
void read_on_all_threads(const train::Pretrained& pretrained, const sharding::Parameter& parameter,
                         std::int64_t begin, std::span<float> into) {
  constexpr std::int64_t elements_a_turn = std::int64_t{1} << 20;
  at::parallel_for(
      0, static_cast<std::int64_t>(into.size()), elements_a_turn, [&](std::int64_t first, std::int64_t last) {
        const auto part =
            into.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
        pretrained.read(parameter.name, static_cast<std::uint64_t>(begin + first), DType::f32,
                        std::as_writable_bytes(part));
      });
}

}  // namespace

sharding::Codec compute_type(const jobs::JobSpec& job) {
  if (job.fp16) return sharding::Codec::fp16;
  constexpr int first_with_bf16 = 8;
  const Device* device = compute_device();
  const bool faster =
      device ? device->info().major >= first_with_bf16 : __builtin_cpu_supports("avx512bf16") != 0;
  return job.bf16 == "true" || (job.bf16 == "auto" && faster) ? sharding::Codec::bf16 : sharding::Codec::fp32;
}

at::ScalarType scalar_type(sharding::Codec compute) {
  return compute == sharding::Codec::bf16   ? at::kBFloat16
         : compute == sharding::Codec::fp16 ? at::kHalf
                                            : at::kFloat;
}

model::WorkShape work_shape(const jobs::JobSpec& job, const model::ModelSpec& spec, sharding::Codec compute) {
  const auto shape = compute_device() ? model::shape_on_gpu : model::shape_here;
  return shape(spec, job.micro_batch_size, job.sequence_len, sharding::dtype_of(compute));
}

void share_cores(const comm::World& world) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  const int cores = CPU_COUNT(&allowed);
  if (!std::getenv("OMP_NUM_THREADS"))
    return at::set_num_threads(std::max(1, cores / sharding::ranks_beside(world)));
  if (world.rank() == 0 && at::get_num_threads() > cores)
    log::warning(
        "OMP_NUM_THREADS gives a rank {} threads but it may use {} cores; unset it, or bind ranks less",
        at::get_num_threads(), cores);
}

LoadedModel::LoadedModel(const jobs::JobSpec& job, const Worlds& worlds, Watch& watch)
    : compute_(compute_type(job)),
      pretrained_((watch.slow_phase("open the model"), job.base_model), fresh_seed_of(job),
                  at::get_num_threads()),
      adapter_(adapter_of(job, pretrained_.spec())),
      spec_(with_chunks(pretrained_.spec(), job, jobs::placement_of(job, compute_), extent_of(worlds.hosts))),
      engine_(model::build_model(spec_, scalar_type(compute_), lora_of(job)),
              jobs::placement_of(job, compute_), optimizer_of(job), worlds.computing,
              engine_options(job, worlds, spec_, compute_)) {
  watch.slow_phase("load");
  train::Nf4Source in_four_bits(pretrained_);
  LoadProgress progress(worlds.hosts.rank() == 0);
  engine_.load([&](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
    progress.add(into.size(), parameter.name);
    if (model::is_nf4(parameter.name)) return in_four_bits.read(parameter, begin, into);
    if (!model::is_lora_a(parameter.name) && !model::is_lora_b(parameter.name))
      return read_on_all_threads(pretrained_, parameter, begin, into);
    if (adapter_) return adapter_->read(parameter, begin, into);
    model::initial_lora(parameter, static_cast<std::uint64_t>(job.seed), begin, into);
  });
}

}  // namespace trireme::cli
