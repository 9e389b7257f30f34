#include "sharding/predict/picture.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace trireme::sharding {
namespace {

constexpr double micro = 1e6;
constexpr int picture_width = 1200, label_width = 130, row_height = 22, gap = 6;

/// "forward layers.3": an op in few words.
std::string title(const Schedule& schedule, const Op& op) {
  std::string text(name_of(op.kind));
  if (op.target < 0) return text;
  const bool of_unit = is_of_unit(op);
  const auto target = static_cast<std::size_t>(op.target);
  return fmt::format("{} {}", text,
                     of_unit ? schedule.facts.units[target].name : schedule.facts.groups[target].name);
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '"' || c == '\\') safe += '\\';
    if (static_cast<unsigned char>(c) >= ' ') safe += c;
  }
  return safe;
}
std::string for_xml(std::string_view text) {
  std::string safe;
  for (const char c : text) c == '<' ? safe += "&lt;" : c == '&' ? safe += "&amp;" : safe += c;
  return safe;
}

std::string_view colour(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return "#4e79a7";
    case OpKind::backward:
      return "#f28e2b";
    case OpKind::gather:
    case OpKind::fetch:
    case OpKind::load:
    case OpKind::recall:
    case OpKind::lift:
      return "#59a14f";
    case OpKind::reduce:
    case OpKind::spill:
    case OpKind::store:
    case OpKind::park:
    case OpKind::lower:
      return "#e15759";
    default:
      return "#b07aa1";
  }
}

/// Most steps make no copy of the state.
bool is_shown(const Track& track, std::size_t op) {
  return track.schedule->ops[op].kind != OpKind::snapshot || track.timeline->ops[op].seconds() > 0;
}

std::vector<OpLane> lanes_used(const Track& track) {
  std::array<bool, lane_count> used{};
  for (std::size_t i = 0; i < track.schedule->ops.size(); ++i)
    if (is_shown(track, i)) used[static_cast<std::size_t>(track.schedule->ops[i].lane)] = true;
  std::vector<OpLane> lanes;
  for (std::size_t lane = 0; lane < used.size(); ++lane)
    if (used[lane]) lanes.push_back(static_cast<OpLane>(lane));
  return lanes;
}

void add_metadata(std::string& json, const Track& track, int process) {
  json +=
      fmt::format(R"({{"name":"process_name","ph":"M","pid":{},"tid":0,"args":{{"name":"{} rank {}"}}}},)",
                  process, escaped(track.name), track.rank);
  json += '\n';
  for (const OpLane lane : lanes_used(track)) {
    json += fmt::format(R"({{"name":"thread_name","ph":"M","pid":{},"tid":{},"args":{{"name":"{}"}}}},)",
                        process, static_cast<int>(lane), name_of(lane));
    json += '\n';
  }
}

}  // namespace

std::string chrome_trace(const std::vector<Track>& tracks) {
  std::string json = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  int process = 0;
  for (const Track& track : tracks) {
    add_metadata(json, track, process);
    for (std::size_t i = 0; i < track.schedule->ops.size(); ++i) {
      const Op& op = track.schedule->ops[i];
      const Interval& when = track.timeline->ops[i];
      if (op.kind == OpKind::drop || !is_shown(track, i)) continue;
      json += fmt::format(
          R"({{"name":"{}","cat":"{}","ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{{"op":{},"micro_batch":{},"route":"{}","bytes":{}}}}},)",
          escaped(title(*track.schedule, op)), name_of(op.kind), process, static_cast<int>(op.lane),
          when.begin_s * micro, when.seconds() * micro, i, op.micro_batch, name_of(op.route), op.bytes);
      json += '\n';
    }
    ++process;
  }
  if (json.ends_with(",\n")) json.erase(json.size() - 2, 1);
  return json + "]}\n";
}

namespace {

/// What is drawn as one rectangle: an op, or several of one colour which a screen could not tell apart.
struct Bar {
  Interval when;
  std::string_view fill;
  int first = 0, ops = 1;
};

std::vector<Bar> bars_of(const Track& track, OpLane lane, double least_seconds) {
  std::vector<int> order;
  for (std::size_t i = 0; i < track.schedule->ops.size(); ++i)
    if (track.schedule->ops[i].lane == lane && track.timeline->ops[i].seconds() > 0)
      order.push_back(static_cast<int>(i));
  const auto when = [&](int op) { return track.timeline->ops[static_cast<std::size_t>(op)]; };
  std::sort(order.begin(), order.end(), [&](int a, int b) { return when(a).begin_s < when(b).begin_s; });
  std::vector<Bar> bars;
  for (const int op : order) {
    const std::string_view fill = colour(track.schedule->ops[static_cast<std::size_t>(op)].kind);
    const bool joins = !bars.empty() && bars.back().fill == fill &&
                       when(op).begin_s - bars.back().when.end_s < least_seconds &&
                       std::min(when(op).seconds(), bars.back().when.seconds()) < least_seconds;
    if (joins)
      bars.back().when.end_s = std::max(bars.back().when.end_s, when(op).end_s), ++bars.back().ops;
    else
      bars.push_back({when(op), fill, op});
  }
  return bars;
}

std::string legend(int y) {
  constexpr std::pair<OpKind, std::string_view> shown[]{{OpKind::forward, "forward"},
                                                        {OpKind::backward, "backward"},
                                                        {OpKind::gather, "gather, fetch"},
                                                        {OpKind::reduce, "reduce, spill"},
                                                        {OpKind::update, "norm, update, other"}};
  constexpr int each = 150, square = 11;
  std::string svg;
  int x = label_width;
  for (const auto& [kind, words] : shown) {
    svg += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"></rect><text x=\"{}\" "
        "y=\"{}\">{}</text>\n",
        x, y, square, square, colour(kind), x + square + gap, y + square - 1, words);
    x += each;
  }
  return svg;
}

}  // namespace

std::string gantt_svg(const std::vector<Track>& tracks) {
  double longest = 1e-9;
  int rows = 0;
  for (const Track& track : tracks) {
    longest = std::max(longest, track.timeline->step_s());
    rows += static_cast<int>(lanes_used(track).size()) + 1;
  }
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n",
      picture_width + label_width + 10, rows * (row_height + gap) + 20);
  int y = 0;
  for (const Track& track : tracks) {
    svg += fmt::format("<text x=\"0\" y=\"{}\" font-weight=\"bold\">{} rank {}: {:.4g} s</text>\n", y + 15,
                       for_xml(track.name), track.rank, track.timeline->step_s());
    y += row_height + gap;
    for (const OpLane lane : lanes_used(track)) {
      svg += fmt::format("<text x=\"0\" y=\"{}\">{}</text>\n", y + 15, name_of(lane));
      for (const Bar& bar : bars_of(track, lane, longest / picture_width)) {
        const std::string what =
            bar.ops > 1 ? fmt::format("{} ops", bar.ops)
                        : title(*track.schedule, track.schedule->ops[static_cast<std::size_t>(bar.first)]);
        svg += fmt::format(
            "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\" fill=\"{}\"><title>{}, {:.6g} "
            "s</title></rect>\n",
            label_width + bar.when.begin_s / longest * picture_width, y,
            std::max(0.3, bar.when.seconds() / longest * picture_width), row_height, bar.fill, for_xml(what),
            bar.when.seconds());
      }
      y += row_height + gap;
    }
  }
  return svg + legend(y) + "</svg>\n";
}

}  // namespace trireme::sharding
