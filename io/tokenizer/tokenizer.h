#pragma once
#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/tokenizer/added_tokens.h"
#include "io/tokenizer/bpe.h"
#include "io/tokenizer/decoder.h"
#include "io/tokenizer/normalizer.h"
#include "io/tokenizer/splitter.h"

namespace trireme::io {

/// A Hugging Face tokenizer.json with a BPE model. Unchanging once made, so threads share it; each brings its
/// own WordCache.
class Tokenizer {
 public:
  /// Throws an Error (damaged) that names the file and what in it is not understood.
  static Tokenizer from_file(const std::string& path);
  /// The same of a file's text; `where` names it.
  static Tokenizer from_text(std::string_view text, const std::string& where);
  explicit Tokenizer(const boost::json::value& description);

  /// Words seen before and their tokens: most of a text's words repeat.
  class WordCache;
  static std::shared_ptr<WordCache> make_cache();

  /// The tokens of a text with the bytes of `text` that they stand for (whole characters where a normalizer
  /// rewrote it). `add_special`: also those of the post-processor (<s>, …). Throws an Error (damaged) when
  /// the text is not valid UTF-8.
  std::vector<Token> encode(std::string_view text, bool add_special, WordCache& cache) const;
  std::vector<Token> encode(std::string_view text, bool add_special = true) const;
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = true) const;

  /// −1 when there is no such token.
  std::int32_t id_of(const std::string& token) const;
  bool is_special(std::int32_t id) const;
  /// One more than the largest id.
  std::size_t vocabulary_size() const { return spelling_.size(); }

 private:
  void read_model(const boost::json::object& model);
  void read_added(const boost::json::value& description);
  void read_post_processor(const boost::json::value& description);
  void encode_part(std::string_view text, std::uint32_t offset, bool first, WordCache& cache,
                   std::vector<Token>& tokens) const;
  void encode_rewritten(const Rewritten& text, std::uint32_t offset, bool first, WordCache& cache,
                        std::vector<Token>& tokens) const;
  void encode_words(std::string_view text, WordCache& cache, std::vector<Token>& tokens) const;
  void set_spelling(std::int32_t id, std::string spelling);

  Normalizer normalizer_;
  Splitter splitter_;
  std::unique_ptr<const Bpe> bpe_;
  AddedTokens added_raw_, added_normalized_;
  std::unordered_map<std::string, std::int32_t> added_ids_;
  Decoder decoder_;
  std::vector<std::int32_t> prefix_, suffix_;
  std::vector<std::string> spelling_;  ///< as written in the file
  std::vector<bool> special_;
};

}  // namespace trireme::io
