#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/data/chat.h"
#include "io/data/prompt_format.h"
#include "io/data/row_file.h"
#include "io/tokenizer/tokenizer.h"

namespace trireme::io {

/// A tokenised training text; scored[i] says whether the model is trained to predict ids[i].
struct DocumentView {
  std::span<const std::int32_t> ids;
  std::span<const std::uint8_t> scored;
};

/// Tokenised texts by their number, wherever they are kept.
class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  virtual std::uint64_t size() const = 0;
  virtual DocumentView document(std::uint64_t index) const = 0;
  /// Rows that gave no document because they could not be read or were too long.
  virtual std::uint64_t skipped() const = 0;
};

/// Documents in memory, one after the other.
struct Documents final : DocumentSource {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> scored;
  std::vector<std::uint64_t> ends;
  std::uint64_t skipped_rows = 0;

  std::uint64_t size() const override { return ends.size(); }
  DocumentView document(std::uint64_t index) const override {
    return {std::span(ids).subspan(begin(index), length(index)),
            std::span(scored).subspan(begin(index), length(index))};
  }
  std::uint64_t skipped() const override { return skipped_rows; }
  std::uint64_t begin(std::uint64_t document) const { return document == 0 ? 0 : ends[document - 1]; }
  std::uint64_t length(std::uint64_t document) const { return ends[document] - begin(document); }
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
  RowKind kind = RowKind::automatic;
  /// For conversations.
  std::shared_ptr<const Chat> chat = nullptr;
};

struct TextRules {
  std::int32_t end_token = -1;
  std::uint64_t longest = 2048;
  TooLong too_long = TooLong::drop;
  int threads = 1;
  /// Ids of rows that are tokens already lie below it; 0: below the tokenizer's.
  std::uint64_t vocabulary = 0;
};

/// The rows of a source that are to be read: [first, last) within the file's.
struct RowRange {
  std::uint64_t first = 0, last = 0;
};
RowRange rows_of(const DataSource& source, const RowFile& file);

/// Tokenises rows of a file. The result does not depend on the number of threads. A completion that is too
/// long is always split.
Documents tokenise(const DataSource& source, const RowFile& file, RowRange rows, const Tokenizer& tokenizer,
                   const TextRules& rules);
/// All rows of the source.
Documents tokenise(const DataSource& source, const Tokenizer& tokenizer, const TextRules& rules);

/// The end token that a model folder's tokenizer_config.json names; throws an Error (configuration) where it
/// names none that the tokenizer has.
std::int32_t end_token_of(const std::filesystem::path& folder, const Tokenizer& tokenizer);

}  // namespace trireme::io
