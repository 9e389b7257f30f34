#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/lora.h"
#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::model {

/// Consecutive rows of the embedding's table or of the head's matrix: a unit and a group of their own, so
/// that a large vocabulary does not set the size of a slot.
struct VocabularyChunk {
  std::int64_t first = 0, rows = 0;
};

/// Logits that are there at once: enough for efficient products, little beside a real vocabulary's weights.
constexpr std::int64_t logits_at_once = std::int64_t{1} << 24;
/// On a GPU, which multiplies so much faster than it reads: each product adds to the whole of the matrix's
/// gradient.
constexpr std::int64_t logits_at_once_on_gpu = std::int64_t{1} << 27;
constexpr std::int64_t least_rows_at_once = 64;

/// Of how many of these rows logits are made at once.
std::int64_t rows_at_once(const at::Tensor& rows, std::int64_t vocabulary);

/// Whether the head's chunks keep their logits for backward in a micro-batch of so many tokens: where all of
/// them together are no more than a whole head has at once.
bool keeps_logits(const ModelSpec& spec, std::int64_t tokens);

/// As `ModelSpec::vocabulary_chunk` cuts them; a single one where the vocabulary stays whole.
std::vector<VocabularyChunk> vocabulary_chunks(const ModelSpec& spec);

/// Rows of chunks that are alike and take no larger slot than a block; 0 where the vocabulary's matrix is not
/// worth cutting, which depends on whether logits are made twice for it.
std::int64_t fitting_chunk_rows(const ModelSpec& spec, const std::optional<LoraSettings>& lora,
                                bool keeps_logits = false);

/// At least `rows`, so that chunks begin where no block of quantised state is cut.
std::int64_t even_chunk_rows(const ModelSpec& spec, std::int64_t rows);

/// The rows of `table` that belong to the chunk.
sharding::Parameter part_of(const sharding::Parameter& table, const VocabularyChunk& chunk);

}  // namespace trireme::model
