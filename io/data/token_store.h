#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/data/documents.h"
#include "io/data/token_part.h"

namespace trireme::io {

struct PrepareProgress {
  std::uint64_t rows_done = 0, rows = 0, documents = 0, tokens = 0, skipped = 0;
  /// Parts that were there already.
  std::uint64_t kept_parts = 0, parts = 0;
};
using TellProgress = std::function<void(const PrepareProgress&)>;

/// The tokens of one source in HDF5 files, mapped into memory.
class TokenStore final : public DocumentSource {
 public:
  explicit TokenStore(std::vector<TokenPart> parts);
  std::uint64_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  DocumentView document(std::uint64_t index) const override;
  std::uint64_t skipped() const override;

 private:
  std::vector<TokenPart> parts_;
  std::vector<std::uint64_t> ends_;
};

/// The digest of all that the tokens depend on beside the rows themselves: format, template, rules, and the
/// model folder's tokenizer files.
std::string store_key(const DataSource& source, const TextRules& rules,
                      const std::filesystem::path& model_folder);

/// Opens the store of a source under `root`, after tokenising what is not there yet. A store is made of
/// parts, so memory is bounded and work that was cut off goes on with the next part; a part is there when it
/// is whole. Where the source's bytes have changed it is made anew. Others that do the same wait.
std::shared_ptr<const TokenStore> prepare_store(const std::filesystem::path& root, const DataSource& source,
                                                const Tokenizer& tokenizer, const TextRules& rules,
                                                const std::filesystem::path& model_folder,
                                                const TellProgress& tell,
                                                std::uint64_t bytes_a_part = std::uint64_t{32} << 20);

}  // namespace trireme::io
