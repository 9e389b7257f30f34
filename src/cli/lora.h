#pragma once
#include <optional>

#include "jobs/job_spec.h"
#include "model/lora.h"

namespace trireme::cli {

/// Nothing where the job trains all parameters.
inline std::optional<model::LoraSettings> lora_of(const jobs::JobSpec& job) {
  if (job.adapter == "none") return std::nullopt;
  return model::LoraSettings{job.lora_r,          job.lora_alpha,          job.lora_dropout,
                             job.peft_use_rslora, job.lora_target_modules, job.load_in_4bit};
}

}  // namespace trireme::cli
