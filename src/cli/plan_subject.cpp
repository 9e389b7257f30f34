#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/ranges.h>

#include "cli/batch_shape.h"
#include "cli/loaded_model.h"
#include "cli/lora.h"
#include "cli/plan.h"
#include "cli/train_settings.h"
#include "cli/vocabulary.h"
#include "core/error.h"
#include "model/build.h"
#include "model/config.h"
#include "model/known_models.h"
#include "model/quantised_groups.h"
#include "model/work.h"
#include "offload/nvme/engine.h"
#include "optim/adamw.h"
#include "optim/sgd.h"
#include "sharding/presets.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

sharding::Model build(const jobs::JobSpec& job, const model::ModelSpec& spec, sharding::Codec compute) {
  return model::build_model(spec, scalar_type(compute), lora_of(job));
}

bool has_byte_states(const jobs::JobSpec& job) {
  return job.optimizer == "adamw_bnb_8bit" || job.optimizer == "adamw_8bit" ||
         job.optimizer == "paged_adamw_8bit";
}

}  // namespace

Planned::Planned(const jobs::JobSpec& job, const model::ModelSpec& spec, sharding::Codec compute, bool on_cpu)
    : spec_(with_named_chunks(spec, job)),
      model_(build(job, spec_, compute)),
      quantised_(build(job, spec_, compute)) {
  model::shrink_to_nf4(quantised_);
  subject_.model = &model_;
  subject_.quantised = &quantised_;
  subject_.states = states_of(job);
  subject_.part_elements = job.offload.part_elements;
  subject_.nvme_depth = static_cast<unsigned>(job.offload.nvme_depth);
  subject_.saves_while_training = saves_while_training(job);
  if (has_byte_states(job)) subject_.granule = optim::AdamW8({}).granule();
  const DType dtype = sharding::dtype_of(compute);
  subject_.work = [spec = spec_, dtype, lora = lora_of(job), sequence = job.sequence_len,
                   on_cpu](std::int64_t rows) {
    const model::WorkShape shape = on_cpu ? model::shape_here(spec, rows, sequence, dtype)
                                          : model::shape_on_gpu(spec, rows, sequence, dtype);
    return model::work_of(spec, shape, lora);
  };
  const model::ModelSpec split = with_fitting_chunks(spec_, job);
  if (split.vocabulary_chunk == spec_.vocabulary_chunk) return;
  when_split_ = std::make_unique<Planned>(job, split, compute, on_cpu);
  subject_.when_split = &when_split_->subject();
}

std::vector<sharding::StateKind> states_of(const jobs::JobSpec& job) {
  if (job.optimizer == "sgd") return optim::Sgd({}).states();
  return has_byte_states(job) ? optim::AdamW8({}).states() : optim::AdamW({}).states();
}

model::ModelSpec spec_of(const std::string& base_model, std::int64_t positions) {
  const fs::path path(base_model);
  std::error_code unseen;
  const fs::path config = fs::is_directory(path, unseen) ? path / "config.json" : path;
  if (fs::is_regular_file(config, unseen)) {
    std::ifstream file(config);
    std::stringstream text;
    text << file.rdbuf();
    return model::parse_config(text.str(), config.string());
  }
  if (auto known = model::known_model(base_model, positions)) return *known;
  fail(ExitCode::configuration,
       "{}: is neither a folder with a config.json nor a model of the table; known are {}", base_model,
       fmt::join(model::known_model_names(), ", "));
}

sharding::Codec planned_compute_type(const jobs::JobSpec& job, const std::string& gpu) {
  if (job.fp16 && gpu == "cpu") return sharding::Codec::fp16;
  const bool halves = job.fp16 || job.bf16 == "true" || (job.bf16 == "auto" && gpu != "cpu");
  return halves ? sharding::Codec::bf16 : sharding::Codec::fp32;
}

sharding::Choices choices_of(const jobs::JobSpec& job, const sharding::Extent& extent,
                             sharding::Codec compute) {
  sharding::Choices choices;
  choices.rows_per_step = rows_of_a_rank(job, extent.world);
  choices.compute = compute;
  choices.others.update_when_reduced = updates_when_reduced(job);
  choices.others.input_depth = static_cast<int>(job.schedule.input_depth);
  choices.others.parts_in_memory = parts_in_memory(job);
  choices.more_parts = job.offload.parts_in_memory == 0;
  for (const std::string_view preset : sharding::preset_names())
    if (preset != "qlora_fsdp" || job.adapter != "none") choices.presets.emplace_back(preset);
  return choices;
}

bool updates_when_reduced(const jobs::JobSpec& job) {
  return job.max_grad_norm == 0 && !job.fp16 && job.on_non_finite == "stop" && job.on_loss_spike == "ignore";
}

int parts_in_memory(const jobs::JobSpec& job) {
  if (job.offload.parts_in_memory > 0) return static_cast<int>(job.offload.parts_in_memory);
  constexpr std::int64_t arrays_of_a_part = 3, least = 3, most = 64;
  const auto requests_for = [](std::int64_t bytes) {
    const std::int64_t block = offload::EngineOptions{}.block_bytes;
    return (bytes + block - 1) / block;
  };
  const std::int64_t requests =
      arrays_of_a_part * requests_for(job.offload.part_elements * static_cast<std::int64_t>(sizeof(float)));
  const std::int64_t moving = (job.offload.nvme_depth + requests - 1) / requests;
  return static_cast<int>(std::clamp(moving + 2, least, most));
}

int cores_of_node(const sharding::Machine& machine, const jobs::SlurmChoice& slurm) {
  if (!machine.device_is_host) return 0;
  if (machine.cores > 0) return static_cast<int>(machine.cores);
  return static_cast<int>(slurm.cpus_per_rank * slurm.ranks_per_node);
}

int reduce_depth_of(const jobs::JobSpec& job, const sharding::Extent& extent, int cores) {
  if (job.schedule.reduce_depth >= 0) return static_cast<int>(job.schedule.reduce_depth);
  const bool one_host = extent.node == extent.world;
  return one_host && cores > 0 && extent.world >= cores ? 0 : 1;
}

sharding::Setting setting_of(const jobs::JobSpec& job, const sharding::Extent& extent,
                             sharding::Codec compute, int cores) {
  sharding::Setting setting{jobs::placement_of(job, compute), extent, {}, job.micro_batch_size};
  setting.options.micro_batches = micro_batches_of(job, extent.world);
  setting.options.prefetch_depth = static_cast<int>(job.schedule.prefetch_depth);
  setting.options.reduce_depth = reduce_depth_of(job, extent, cores);
  setting.options.input_tier = setting.placement.activation_tier;
  setting.options.input_depth = static_cast<int>(job.schedule.input_depth);
  setting.options.unit_major = job.schedule.order == "unit_major";
  setting.options.activations = setting.placement.activations;
  setting.options.update_when_reduced = updates_when_reduced(job);
  setting.options.parts_in_memory = parts_in_memory(job);
  setting.more_parts = job.offload.parts_in_memory == 0;
  return setting;
}

}  // namespace trireme::cli
