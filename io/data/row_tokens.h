#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "io/data/documents.h"

namespace trireme::io {

/// The tokens of one row by the format of its source, and which of them are scored.
struct RowTokens {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> scored;
};

/// Throws an Error (damaged) that names `where`. Empty where all texts of the row are.
void tokenise_row(const DataSource& source, const boost::json::object& row, const std::string& where,
                  const Tokenizer& tokenizer, const TextRules& rules, Tokenizer::WordCache& cache,
                  RowTokens& out);

}  // namespace trireme::io
