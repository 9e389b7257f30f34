#pragma once
#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "model/build.h"
#include "model/known_models.h"
#include "model/quantised_groups.h"
#include "model/work.h"
#include "optim/adamw.h"
#include "sharding/predict/search.h"
#include "sharding/presets.h"

namespace trireme::model {

/// A known model as something to plan.
struct Planning {
  explicit Planning(const char* name, std::int64_t sequence, std::optional<LoraSettings> lora = {})
      : Planning(*known_model(name, sequence), sequence, lora) {}
  Planning(ModelSpec form, std::int64_t sequence, std::optional<LoraSettings> lora)
      : spec(std::move(form)),
        plain(build_model(spec, at::kBFloat16, lora)),
        small(build_model(spec, at::kBFloat16, lora)) {
    shrink_to_nf4(small);
    subject.model = &plain, subject.quantised = &small;
    subject.states = optim::AdamW({}).states();
    subject.work = [this, sequence, lora](std::int64_t rows) {
      return work_of(spec, {rows, sequence, DType::bf16}, lora);
    };
  }
  ModelSpec spec;
  sharding::Model plain, small;
  sharding::Subject subject;
};

inline sharding::Setting setting_of(const char* name, sharding::Extent extent, int micro_batches = 1) {
  sharding::Setting setting{sharding::preset(name), extent, {}, 1};
  setting.placement.activations = setting.options.activations = sharding::Activations::recomputed;
  setting.options.micro_batches = micro_batches;
  return setting;
}

inline std::uint64_t device_bytes(const sharding::Forecast& forecast) {
  return forecast.memory.totals()[static_cast<std::size_t>(sharding::Tier::device)];
}

}  // namespace trireme::model
