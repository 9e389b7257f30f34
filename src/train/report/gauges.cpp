#include "train/report/gauges.h"

#include <algorithm>
#include <boost/json.hpp>

#include <fmt/format.h>

#include "core/bytes.h"
#include "train/report/memory_bars.h"
#include "train/report/text_plot.h"

namespace trireme::train {
namespace {

namespace json = boost::json;

double number(const json::object& object, const char* key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_number() ? found->to_number<double>() : 0;
}

/// Words one behind the other, as far as the line reaches.
class Line {
 public:
  Line(const char* title, int width)
      : text_(fmt::format("{:<8}", title)), room_(static_cast<std::size_t>(std::max(width, 20))) {}
  /// `columns`: of the words, where their letters are of more bytes than one.
  void add(const std::string& words, std::size_t columns) {
    if (full_) return;
    if (used_ + columns + 3 > room_) {
      full_ = true, text_ += " …";
      return;
    }
    text_ += (any_ ? "   " : " ") + words, used_ += columns + 3, any_ = true;
  }
  void add(const std::string& words) { add(words, words.size()); }
  std::string text() const { return any_ ? text_ + '\n' : ""; }

 private:
  std::string text_;
  std::size_t room_, used_ = 8;
  bool any_ = false, full_ = false;
};

std::string memory_line(const RunRecord& run, int width) {
  Line line("memory", width);
  for (const TierBar& bar : tier_bars(run.memory))
    line.add(
        fmt::format("{} {}, foretold {}", bar.tier, human_bytes(bar.measured), human_bytes(bar.total())));
  return line.text();
}

std::string lanes_line(const RunRecord& run, int width) {
  boost::system::error_code problem;
  const json::value value = json::parse(run.lanes, problem);
  if (problem || !value.is_object()) return "";
  const json::object& record = value.get_object();
  const double step = number(record, "step_s");
  const json::value* lanes = record.if_contains("lanes");
  if (!(step > 0) || !lanes || !lanes->is_object()) return "";
  Line line("lanes", width);
  constexpr int bar_width = 8;
  for (const auto& [name, seconds] : lanes->get_object()) {
    if (!seconds.is_number()) continue;
    const double share = std::clamp(seconds.to_number<double>() / step, 0.0, 1.0);
    const std::string words = fmt::format("{} {:.0f} %", std::string(name), 100 * share);
    line.add(fmt::format("{} {}", text_bar(share, bar_width), words), words.size() + bar_width + 1);
  }
  line.add(fmt::format("of {:.4g} s, foretold {:.4g} s", step, number(record, "foretold_s")));
  if (const json::value* waits = record.if_contains("host_waits"); waits && waits->is_object()) {
    double all = 0;
    for (const char* cause : {"streams", "memory", "tensors"}) all += number(waits->get_object(), cause);
    line.add(fmt::format("the host waited {} times for the GPU", all));
  }
  return line.text();
}

std::string nodes_line(const RunRecord& run, int width) {
  Line line("nodes", width);
  // Those that failed their check first: a line may be too short for all.
  for (const bool healthy : {false, true})
    for (const NodeRecord& node : run.nodes)
      if (node.healthy == healthy)
        line.add(node.name + (healthy ? "" : " left out") +
                 (node.link_gb_s > 0 ? fmt::format(" {:.3g} GB/s", node.link_gb_s) : ""));
  return line.text();
}

}  // namespace

std::string gauges(const RunRecord& run, int width) {
  return memory_line(run, width) + lanes_line(run, width) + nodes_line(run, width);
}

}  // namespace trireme::train
