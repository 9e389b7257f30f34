#pragma once
#include <cstdint>
#include <vector>

#include "io/file.h"

namespace trireme::io {

/// Where the rows of a file lie: 20 bytes a row, whatever their length.
struct RowPlaces {
  std::vector<std::uint64_t> begin, end;
  std::vector<std::uint32_t> line;

  void add(std::uint64_t first, std::uint64_t last, std::uint64_t at_line) {
    begin.push_back(first), end.push_back(last), line.push_back(static_cast<std::uint32_t>(at_line));
  }
};

/// Lines that are not blank. As the others it passes over a byte order mark.
RowPlaces find_lines(const File& file);
/// Parts with a blank line between them.
RowPlaces find_paragraphs(const File& file);
/// All of it, where it is not blank.
RowPlaces find_whole(const File& file);
/// The items of a JSON array. Throws an Error (damaged) where the array does not end.
RowPlaces find_elements(const File& file);
/// The records of a CSV file, its header among them: line ends between quotes do not count.
RowPlaces find_records(const File& file);

/// The first letter that is not blank, 0 where there is none.
char first_letter(const File& file);

}  // namespace trireme::io
