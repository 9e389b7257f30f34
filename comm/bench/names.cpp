#include "comm/bench/names.h"

namespace trireme::comm::bench {

std::vector<std::string> split_names(std::string_view names) {
  std::vector<std::string> pieces;
  while (!names.empty()) {
    const std::size_t comma = names.find(',');
    std::string_view piece = names.substr(0, comma);
    names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    const std::size_t first = piece.find_first_not_of(' ');
    if (first == std::string_view::npos) continue;
    piece = piece.substr(first, piece.find_last_not_of(' ') - first + 1);
    pieces.emplace_back(piece);
  }
  return pieces;
}

}  // namespace trireme::comm::bench
