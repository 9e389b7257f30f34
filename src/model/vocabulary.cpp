#include "model/vocabulary.h"

#include <algorithm>
#include <numeric>

#include "model/layout.h"
#include "model/quantised_groups.h"
#include "sharding/layout.h"

namespace trireme::model {
namespace {

/// A gibibyte of gradients: below that the second look at the logits costs more than the slots are worth.
constexpr std::int64_t worth_a_second_look = std::int64_t{1} << 28;
/// Below that more units cost more than the slots are worth.
constexpr std::int64_t worth_more_units = std::int64_t{1} << 24;

/// A block's parameters, counted in elements of two bytes.
std::int64_t block_elements(const ModelSpec& spec, const std::optional<LoraSettings>& lora) {
  std::int64_t bytes = 0;
  for (const sharding::Parameter& parameter : block_layout(spec, 0).parameters) {
    const std::int64_t elements = sharding::element_count(parameter);
    const bool in_four_bits = lora && lora->four_bit_base && parameter.shape.size() == 2;
    bytes += in_four_bits ? nf4_bytes(elements) : 2 * elements;
  }
  return bytes / 2;
}

std::int64_t rounded_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

std::int64_t rows_at_once(const at::Tensor& rows, std::int64_t vocabulary) {
  return std::max(least_rows_at_once, (rows.is_cuda() ? logits_at_once_on_gpu : logits_at_once) / vocabulary);
}

bool keeps_logits(const ModelSpec& spec, std::int64_t tokens) {
  return tokens * spec.vocabulary <= logits_at_once;
}

std::vector<VocabularyChunk> vocabulary_chunks(const ModelSpec& spec) {
  const std::int64_t each = spec.vocabulary_chunk > 0 ? spec.vocabulary_chunk : spec.vocabulary;
  std::vector<VocabularyChunk> chunks;
  for (std::int64_t first = 0; first < spec.vocabulary; first += each)
    chunks.push_back({first, std::min(each, spec.vocabulary - first)});
  return chunks;
}

std::int64_t fitting_chunk_rows(const ModelSpec& spec, const std::optional<LoraSettings>& lora, bool keeps) {
  const std::int64_t elements = spec.vocabulary * spec.hidden;
  const std::int64_t block = block_elements(spec, lora);
  const std::int64_t least = keeps ? worth_more_units : worth_a_second_look;
  if (elements < least || elements <= block) return 0;
  const std::int64_t chunks = (elements + block - 1) / block;
  return even_chunk_rows(spec, (spec.vocabulary + chunks - 1) / chunks);
}

std::int64_t even_chunk_rows(const ModelSpec& spec, std::int64_t rows) {
  constexpr std::int64_t uncut_elements = 4096;
  return rounded_up(rows, uncut_elements / std::gcd(uncut_elements, spec.hidden));
}

sharding::Parameter part_of(const sharding::Parameter& table, const VocabularyChunk& chunk) {
  const std::int64_t width = table.shape[1];
  return {table.name,
          {chunk.rows, width},
          std::make_shared<const sharding::Parameter>(table),
          chunk.first * width};
}

}  // namespace trireme::model
