#include "cli/vocabulary.h"

#include <utility>

#include "cli/batch_shape.h"
#include "cli/lora.h"
#include "cli/plan.h"
#include "model/vocabulary.h"
#include "sharding/predict/forecast.h"

namespace trireme::cli {
namespace {

bool keeps_logits(const model::ModelSpec& spec, const jobs::JobSpec& job) {
  return model::keeps_logits(spec, job.micro_batch_size * job.sequence_len);
}

bool gradients_vanish(const jobs::JobSpec& job, const sharding::Extent& extent) {
  sharding::ScheduleOptions options;
  options.micro_batches = micro_batches_of(job, extent.world);
  options.unit_major = job.schedule.order == "unit_major";
  options.update_when_reduced = updates_when_reduced(job);
  return options.gradients_vanish();
}

}  // namespace

model::ModelSpec with_named_chunks(model::ModelSpec spec, const jobs::JobSpec& job) {
  if (job.schedule.vocabulary_chunk > 0)
    spec.vocabulary_chunk = model::even_chunk_rows(spec, job.schedule.vocabulary_chunk);
  return spec;
}

model::ModelSpec with_fitting_chunks(model::ModelSpec spec, const jobs::JobSpec& job) {
  if (job.schedule.vocabulary_chunk == 0)
    spec.vocabulary_chunk = model::fitting_chunk_rows(spec, lora_of(job), keeps_logits(spec, job));
  return spec;
}

model::ModelSpec with_chunks(model::ModelSpec spec, const jobs::JobSpec& job,
                             const sharding::Placement& placement, const sharding::Extent& extent) {
  spec = with_named_chunks(std::move(spec), job);
  const bool trainable = !lora_of(job), splits = sharding::splits_vocabulary(placement, extent, trainable);
  const bool saves = trainable && !spec.tied && gradients_vanish(job, extent) && keeps_logits(spec, job);
  return splits || saves ? with_fitting_chunks(std::move(spec), job) : spec;
}

}  // namespace trireme::cli
