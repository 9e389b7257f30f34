#pragma once
#include <cstdint>
#include <optional>

#include "core/dtype.h"
#include "model/lora.h"
#include "model/spec.h"
#include "model/vocabulary.h"
#include "sharding/predict/work.h"

namespace trireme::model {

/// What one micro-batch is like.
struct WorkShape {
  std::int64_t rows = 1;
  std::int64_t sequence = 2048;
  DType compute = DType::bf16;
  /// Attention keeps as many heads of keys and values as of queries.
  bool repeats_key_heads = true;
  /// Weights' gradients are summed where they are kept, and logits become theirs in place: so they are but by
  /// LibTorch alone.
  bool in_place = false;
  /// Attention takes heads of keys and halves as they are.
  bool attends_in_pairs = false;
  std::int64_t logits_at_once = model::logits_at_once;
  /// Of the host, which share its work; 0: another device computes.
  int host_threads = 0;
};

/// On this machine's CPU.
WorkShape shape_here(const ModelSpec& spec, std::int64_t rows, std::int64_t sequence, DType compute);

/// On a GPU.
WorkShape shape_on_gpu(const ModelSpec& spec, std::int64_t rows, std::int64_t sequence, DType compute);

/// What a model's units compute and keep, in the order of `build_model`, from its form alone.
sharding::ModelWork work_of(const ModelSpec& spec, const WorkShape& shape,
                            const std::optional<LoraSettings>& lora = {});

}  // namespace trireme::model
