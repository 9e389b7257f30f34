#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "model/lora.h"
#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::model {

/// Consecutive rows of the embedding's table or of the head's matrix: a unit and a group of their own, so
/// that a large vocabulary does not set the size of a slot.
struct VocabularyChunk {
  std::int64_t first = 0, rows = 0;
};

/// As `ModelSpec::vocabulary_chunk` cuts them; a single one where the vocabulary stays whole.
std::vector<VocabularyChunk> vocabulary_chunks(const ModelSpec& spec);

/// Rows of chunks that are alike and take no larger slot than a block; 0 where the vocabulary's matrix is not
/// worth cutting.
std::int64_t fitting_chunk_rows(const ModelSpec& spec, const std::optional<LoraSettings>& lora);

/// At least `rows`, so that chunks begin where no block of quantised state is cut.
std::int64_t even_chunk_rows(const ModelSpec& spec, std::int64_t rows);

/// The rows of `table` that belong to the chunk.
sharding::Parameter part_of(const sharding::Parameter& table, const VocabularyChunk& chunk);

}  // namespace trireme::model
