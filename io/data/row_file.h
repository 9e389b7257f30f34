#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/data/row_places.h"

namespace trireme::io {

/// What a data file is made of.
enum class RowKind : std::uint8_t {
  automatic,  ///< by the end of its name, and for .json by its first letter
  json,       ///< one object a line, or an array of objects
  csv,        ///< records under a header, with commas, or tabs in .tsv
  lines,      ///< plain text: each line is a row {"text": …}
  paragraphs,
  document  ///< the whole file is one row
};

/// A file of rows. Only where they begin is kept, so it may be of any size; threads may read at the same
/// time.
class RowFile {
 public:
  explicit RowFile(const std::filesystem::path& path, RowKind kind = RowKind::automatic);

  std::uint64_t rows() const { return places_.begin.size(); }
  /// Throws an Error (damaged) that names file and line.
  boost::json::object read(std::uint64_t row) const;
  /// "data.jsonl:17"
  std::string where(std::uint64_t row) const;
  /// Where it begins in the file.
  std::uint64_t offset(std::uint64_t row) const { return places_.begin[row]; }

 private:
  File file_;
  RowKind kind_;
  char separator_ = ',';
  RowPlaces places_;
  std::vector<std::string> header_;
};

/// The object in a row of JSON; `where` names it in errors.
boost::json::object parse_row(std::string_view line, const std::string& where);
/// The fields of a CSV record without its line end. Throws an Error (damaged) where a quote is out of place.
std::vector<std::string> parse_record(std::string_view record, char separator, const std::string& where);

}  // namespace trireme::io
