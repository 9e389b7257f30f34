#include "train/report/chart.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace trireme::train {
namespace {

constexpr double width = 640, height = 240, left = 58, right = 12, top = 12, bottom = 28;
constexpr std::size_t most_points = 1200;

struct Range {
  double least = 0, most = 0;
  bool empty = true;
  void take(double value) {
    least = empty ? value : std::min(least, value), most = empty ? value : std::max(most, value);
    empty = false;
  }
  void widen() {
    const double margin = most > least ? (most - least) * 0.05 : std::max(std::abs(most) * 0.05, 1e-12);
    if (least < 0 || least - margin >= 0) least -= margin;
    most += margin;
  }
};

/// From values to places in the picture.
struct Frame {
  Range x, y;
  double across(double value) const {
    return left + (value - x.least) / std::max(x.most - x.least, 1e-300) * (width - left - right);
  }
  double down(double value) const {
    return height - bottom - (value - y.least) / (y.most - y.least) * (height - top - bottom);
  }
};

Frame frame_of(const Chart& chart) {
  Frame frame;
  for (const Curve& curve : chart.curves) {
    for (const double x : curve.series.x) frame.x.take(x);
    for (const double y : curve.series.y) frame.y.take(y);
  }
  frame.y.widen();
  return frame;
}

void add_grid(std::string& out, const Frame& frame) {
  for (const double value : ticks(frame.y.least, frame.y.most, 5)) {
    const double y = frame.down(value);
    out += fmt::format("<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", left,
                       width - right, y);
    out += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 6,
                       y + 4, short_number(value));
  }
  for (const double value : ticks(frame.x.least, frame.x.most, 6))
    out += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                       frame.across(value), height - 8, short_number(value));
}

void add_marks(std::string& out, const Chart& chart, const Frame& frame) {
  for (const Mark& mark : chart.marks) {
    if (mark.x < frame.x.least || mark.x > frame.x.most) continue;
    const double x = frame.across(mark.x);
    out += fmt::format(
        "<line class=\"mark {0}\" x1=\"{1:.1f}\" x2=\"{1:.1f}\" y1=\"{2}\" "
        "y2=\"{3}\"><title>{4}</title></line>",
        escaped(mark.kind), x, top, height - bottom, escaped(mark.text));
  }
}

void add_curve(std::string& out, const Curve& curve, const Frame& frame) {
  const Series thin = thinned(curve.series, most_points);
  if (thin.size() == 1)
    out += fmt::format("<circle class=\"c{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", curve.colour,
                       frame.across(thin.x[0]), frame.down(thin.y[0]));
  std::string points, values;
  for (std::size_t i = 0; i < thin.size(); ++i) {
    points += fmt::format("{:.1f},{:.1f} ", frame.across(thin.x[i]), frame.down(thin.y[i]));
    values += fmt::format("{:g},{:g} ", thin.x[i], thin.y[i]);
  }
  out += fmt::format("<polyline class=\"curve c{}\" data-name=\"{}\" data-values=\"{}\" points=\"{}\"/>",
                     curve.colour, escaped(curve.name), values, points);
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    switch (letter) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(letter) >= ' ' || letter == '\n' || letter == '\t') out += letter;
    }
  }
  return out;
}

std::string svg_of(const Chart& chart) {
  const Frame frame = frame_of(chart);
  if (frame.x.empty) return "";
  std::string out = fmt::format(
      "<figure><figcaption>{} <span class=\"unit\">{}</span></figcaption>"
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" data-left=\"{}\" data-right=\"{}\" "
      "data-least=\"{:g}\" "
      "data-most=\"{:g}\">",
      escaped(chart.title), escaped(chart.unit), width, height, escaped(chart.title), left, width - right,
      frame.x.least, frame.x.most);
  add_grid(out, frame);
  add_marks(out, chart, frame);
  for (const Curve& curve : chart.curves) add_curve(out, curve, frame);
  return out + "<line class=\"pointer\" y1=\"12\" y2=\"212\"/></svg><div class=\"readout\"></div></figure>\n";
}

}  // namespace trireme::train
