#pragma once
#include <boost/json/object.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/data/chat_format.h"

namespace trireme::io {

/// A model folder's tokenizer_config.json.
class TokenizerConfig {
 public:
  /// Throws an Error (configuration).
  explicit TokenizerConfig(const std::filesystem::path& folder);
  /// The text of "eos_token" and the like; nothing where it is not named.
  std::optional<std::string> special_token(const char* name) const;
  /// All that are named, as a chat template sees them.
  std::vector<std::pair<std::string, std::string>> special_tokens() const;
  /// The chat template in it, the one named "default" where there are several.
  std::optional<std::string> chat_template() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  boost::json::object values_;
};

/// The source of a folder's own chat template (chat_template.jinja or tokenizer_config.json), of one that is
/// built in, or the format's. Throws an Error (configuration) that says what there is.
std::string chat_template_source(const ChatFormat& format, const std::filesystem::path& folder);

}  // namespace trireme::io
