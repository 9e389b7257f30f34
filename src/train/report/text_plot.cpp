#include "train/report/text_plot.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace trireme::train {
namespace {

constexpr int dots_across = 2, dots_down = 4;
/// Which bit of a Braille letter the dot at [row][column] is.
constexpr std::array<std::array<unsigned, dots_across>, dots_down> bits{
    {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};

std::string utf8(unsigned code) {
  return {static_cast<char>(0xe0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3f)),
          static_cast<char>(0x80 | (code & 0x3f))};
}

}  // namespace

std::vector<std::string> text_plot(const Series& series, int width, int height) {
  if (series.size() == 0 || width < 1 || height < 1) return {};
  const auto [low, high] = std::minmax_element(series.y.begin(), series.y.end());
  const double least = *low, range = std::max(*high - least, 1e-300);
  const auto [left, right] = std::minmax_element(series.x.begin(), series.x.end());
  const double first = *left, span = std::max(*right - first, 1e-300);
  const int columns = width * dots_across, rows = height * dots_down;
  std::vector<unsigned> letters(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 0);
  const auto dot = [&](int column, int row) {
    const int letter = row / dots_down * width + column / dots_across;
    letters[static_cast<std::size_t>(letter)] |=
        bits[static_cast<std::size_t>(row % dots_down)][static_cast<std::size_t>(column % dots_across)];
  };
  int row_before = -1, column_before = -1;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const int column = static_cast<int>(std::lround((series.x[i] - first) / span * (columns - 1)));
    const int row = rows - 1 - static_cast<int>(std::lround((series.y[i] - least) / range * (rows - 1)));
    if (column_before >= 0)
      for (int between = column_before + 1; between < column; ++between)
        dot(between, row_before + (row - row_before) * (between - column_before) / (column - column_before));
    dot(column, row);
    row_before = row, column_before = column;
  }
  std::vector<std::string> lines(static_cast<std::size_t>(height));
  constexpr unsigned blank_braille = 0x2800;
  for (int line = 0; line < height; ++line)
    for (int letter = 0; letter < width; ++letter)
      lines[static_cast<std::size_t>(line)] +=
          utf8(blank_braille + letters[static_cast<std::size_t>(line) * static_cast<std::size_t>(width) +
                                       static_cast<std::size_t>(letter)]);
  return lines;
}

std::string text_bar(double share, int width) {
  const int done = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width));
  std::string bar;
  for (int i = 0; i < width; ++i) bar += i < done ? "█" : "░";
  return bar;
}

}  // namespace trireme::train
