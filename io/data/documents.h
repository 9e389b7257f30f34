#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/data/prompt_format.h"
#include "io/tokenizer/tokenizer.h"

namespace trireme::io {

/// Tokenised training texts, one after the other; scored[i] says whether the model is trained to predict
/// ids[i].
struct Documents {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> scored;
  std::vector<std::uint64_t> ends;
  std::uint64_t skipped_rows = 0;

  std::uint64_t size() const { return ends.size(); }
  std::uint64_t begin(std::uint64_t document) const { return document == 0 ? 0 : ends[document - 1]; }
  std::uint64_t length(std::uint64_t document) const { return ends[document] - begin(document); }
  std::uint64_t scored_tokens() const;
  void add(std::span<const std::int32_t> tokens, std::span<const std::uint8_t> are_scored);
  void add(const Documents& more);
};

enum class TooLong : std::uint8_t { split, drop, truncate };

struct DataSource {
  std::filesystem::path path;
  PromptFormat format;
  /// Rows [first, last) of the file; last 0: to the end.
  std::uint64_t first = 0, last = 0;
  bool skip_bad_rows = false;
};

struct TextRules {
  std::int32_t end_token = -1;
  std::uint64_t longest = 2048;
  TooLong too_long = TooLong::drop;
  int threads = 1;
};

/// Reads and tokenises a file of JSON lines. The result does not depend on the number of threads. A
/// completion that is too long is always split.
Documents tokenise(const DataSource& source, const Tokenizer& tokenizer, const TextRules& rules);

/// The end token that a model folder's tokenizer_config.json names; throws an Error (configuration) where it
/// names none that the tokenizer has.
std::int32_t end_token_of(const std::filesystem::path& folder, const Tokenizer& tokenizer);

}  // namespace trireme::io
