#pragma once
#include <string>
#include <vector>

#include "train/report/series.h"

namespace trireme::train {

/// A curve in Braille dots, `width` by `height` letters, one string a line; empty where there is nothing to
/// draw.
std::vector<std::string> text_plot(const Series& series, int width, int height);
/// "██████░░░░": how much of `width` letters is done.
std::string text_bar(double share, int width);

}  // namespace trireme::train
