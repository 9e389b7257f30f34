#include "train/token_rows.h"

#include <algorithm>

#include "core/error.h"

namespace trireme::train {
namespace {

std::int64_t row_count(const io::NpyFile& file, std::int64_t sequence_len, const std::string& path) {
  if (file.shape().size() > 1 && file.shape().back() != sequence_len)
    fail(ExitCode::configuration, "{} holds rows of {} tokens but sequence_len is {}; set sequence_len to {}",
         path, file.shape().back(), sequence_len, file.shape().back());
  const auto rows = static_cast<std::int64_t>(file.elements()) / sequence_len;
  if (rows == 0)
    fail(ExitCode::configuration, "{} holds {} tokens, less than one row of sequence_len = {}", path,
         file.elements(), sequence_len);
  return rows;
}

}  // namespace

TokenRows::TokenRows(const std::filesystem::path& path, std::int64_t sequence_len, std::int64_t vocabulary)
    : name_(path.string()),
      file_(path),
      rows_(row_count(file_, sequence_len, name_)),
      vocabulary_(vocabulary) {}

std::vector<std::int64_t> TokenRows::read(std::int64_t row, const RowPlace& place) const {
  file_.read(static_cast<std::uint64_t>(row) * place.tokens.size(), place.tokens);
  const auto unknown = std::find_if(place.tokens.begin(), place.tokens.end(),
                                    [&](std::int64_t token) { return token < 0 || token >= vocabulary_; });
  if (unknown != place.tokens.end())
    fail(ExitCode::damaged,
         "{}: token {} of row {} is {}, but the model knows {} tokens; prepare the array with its tokenizer",
         name_, unknown - place.tokens.begin(), row, *unknown, vocabulary_);
  std::copy(place.tokens.begin() + 1, place.tokens.end(), place.labels.begin());
  return {};
}

}  // namespace trireme::train
