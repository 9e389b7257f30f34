#pragma once
#include <string>
#include <vector>

#include "train/report/series.h"

namespace trireme::train {

/// A moment that a chart marks with an upright line.
struct Mark {
  double x = 0;
  std::string kind, text;
};

struct Curve {
  std::string name;
  int colour = 0;  ///< of the page's palette
  Series series;
};

struct Chart {
  std::string title, unit;
  std::vector<Curve> curves;
  std::vector<Mark> marks;
};

/// An inline SVG in the colours of the page's style; its points are also in `data-` attributes, by which the
/// page's script shows values under the pointer. Empty where no curve has a point.
std::string svg_of(const Chart& chart);

/// `text` as it may stand in XML, in an attribute too.
std::string escaped(const std::string& text);

}  // namespace trireme::train
