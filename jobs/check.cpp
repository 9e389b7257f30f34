#include "jobs/check.h"

#include <algorithm>

#include "core/error.h"

namespace trireme::jobs {

void check(JobSpec& job, const std::string& where) {
  if (job.base_model.empty())
    fail(ExitCode::configuration, "{}: base_model is missing: the folder of a model", where);
  if (job.datasets.empty())
    fail(ExitCode::configuration, "{}: datasets is missing: a list with at least one path", where);
  const auto tokens = std::count_if(job.datasets.begin(), job.datasets.end(),
                                    [](const DataSet& set) { return set.type == "tokens"; });
  if (tokens > 0 && job.datasets.size() > 1)
    fail(ExitCode::configuration, "{}: a dataset of type tokens stands alone; datasets lists {}", where,
         job.datasets.size());
  if (tokens > 0 && job.sample_packing)
    fail(ExitCode::configuration, "{}: sample_packing is for text; rows of type tokens are whole", where);
  if (!(job.learning_rate > 0)) fail(ExitCode::configuration, "{}: learning_rate is missing or 0", where);
  const bool has_adapter = job.adapter == "lora";
  if (has_adapter && job.lora_target_linear != job.lora_target_modules.empty())
    fail(ExitCode::configuration,
         "{}: adapter: lora needs either lora_target_linear: true or a list lora_target_modules", where);
  if (!has_adapter && !job.lora_model_dir.empty())
    fail(ExitCode::configuration, "{}: lora_model_dir is given but adapter is none; add adapter: lora",
         where);
  if (job.output_dir.empty()) fail(ExitCode::configuration, "{}: output_dir is empty", where);
  if (job.warmup_steps > 0 && job.warmup_ratio > 0)
    fail(ExitCode::configuration, "{}: warmup_steps and warmup_ratio are both given; keep one", where);
  if (job.lr_scheduler == "constant" && (job.warmup_steps > 0 || job.warmup_ratio > 0))
    fail(ExitCode::configuration, "{}: lr_scheduler: constant has no warm-up; use constant_with_warmup",
         where);
  if (job.max_steps > 0 && job.warmup_steps > job.max_steps)
    fail(ExitCode::configuration, "{}: warmup_steps = {} is more than max_steps = {}", where,
         job.warmup_steps, job.max_steps);
}

}  // namespace trireme::jobs
