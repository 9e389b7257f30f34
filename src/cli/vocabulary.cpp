#include "cli/vocabulary.h"

#include <utility>

#include "cli/lora.h"
#include "model/vocabulary.h"
#include "sharding/predict/forecast.h"

namespace trireme::cli {

model::ModelSpec with_named_chunks(model::ModelSpec spec, const jobs::JobSpec& job) {
  if (job.schedule.vocabulary_chunk > 0)
    spec.vocabulary_chunk = model::even_chunk_rows(spec, job.schedule.vocabulary_chunk);
  return spec;
}

model::ModelSpec with_fitting_chunks(model::ModelSpec spec, const jobs::JobSpec& job) {
  if (job.schedule.vocabulary_chunk == 0)
    spec.vocabulary_chunk = model::fitting_chunk_rows(spec, lora_of(job));
  return spec;
}

model::ModelSpec with_chunks(model::ModelSpec spec, const jobs::JobSpec& job,
                             const sharding::Placement& placement, const sharding::Extent& extent) {
  spec = with_named_chunks(std::move(spec), job);
  if (!sharding::splits_vocabulary(placement, extent, !lora_of(job))) return spec;
  return with_fitting_chunks(std::move(spec), job);
}

}  // namespace trireme::cli
