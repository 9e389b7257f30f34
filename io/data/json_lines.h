#pragma once
#include <boost/json/value.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/file.h"

namespace trireme::io {

/// A file with one JSON object a line, of any length: only where the lines begin is kept. Blank lines are
/// passed over; a byte order mark and Windows line ends are allowed. Threads may read at the same time.
class JsonLines {
 public:
  explicit JsonLines(const std::filesystem::path& path);

  std::uint64_t rows() const { return begin_.size(); }
  /// Throws an Error (damaged) that names file and line where it is not a JSON object.
  boost::json::object read(std::uint64_t row) const;
  /// "data.jsonl:17"
  std::string where(std::uint64_t row) const;

 private:
  void note(std::uint64_t begin, std::uint64_t end, std::uint64_t line, bool blank);

  File file_;
  std::vector<std::uint64_t> begin_, end_;
  std::vector<std::uint32_t> line_;
};

/// The object in a line of such a file; `where` names it in errors.
boost::json::object parse_row(std::string_view line, const std::string& where);

}  // namespace trireme::io
