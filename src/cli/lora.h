#pragma once
#include <cstdint>
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

/// From which the weights of a model are drawn that starts from nothing.
inline std::optional<std::uint64_t> fresh_seed_of(const jobs::JobSpec& job) {
  if (!job.reinit_weights) return std::nullopt;
  return static_cast<std::uint64_t>(job.seed);
}

}  // namespace trireme::cli
