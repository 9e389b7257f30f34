#include "train/report/memory_bars.h"

#include <boost/json.hpp>

#include <fmt/format.h>

#include "core/bytes.h"
#include "train/report/chart.h"

namespace trireme::train {
namespace {

namespace json = boost::json;

double number(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_number() ? found->to_number<double>() : 0;
}
std::string text(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_string() ? std::string(found->get_string()) : "";
}

}  // namespace

double TierBar::total() const {
  double sum = 0;
  for (const Piece& piece : foretold) sum += piece.bytes;
  return sum;
}

std::vector<TierBar> tier_bars(const std::string& record) {
  std::vector<TierBar> bars{{"device", {}, 0}, {"host", {}, 0}, {"nvme", {}, 0}};
  boost::system::error_code problem;
  const json::value value = json::parse(record, problem);
  if (problem || !value.is_object()) return {};
  const json::value* foretold = value.get_object().if_contains("foretold");
  const json::value* measured = value.get_object().if_contains("measured");
  for (TierBar& bar : bars) {
    if (foretold && foretold->is_array())
      for (const json::value& line : foretold->get_array())
        if (line.is_object() && text(line.get_object(), "tier") == bar.tier)
          bar.foretold.push_back({text(line.get_object(), "what"), number(line.get_object(), "bytes")});
    if (measured && measured->is_object()) bar.measured = number(measured->get_object(), bar.tier);
  }
  std::erase_if(bars, [](const TierBar& bar) { return bar.total() == 0 && bar.measured == 0; });
  return bars;
}

std::string pool_words(const std::string& record) {
  boost::system::error_code problem;
  const json::value value = json::parse(record, problem);
  if (problem || !value.is_object()) return {};
  const json::value* pool = value.get_object().if_contains("pool");
  if (!pool || !pool->is_object() || number(pool->get_object(), "reserved") == 0) return {};
  const json::object& found = pool->get_object();
  const auto bytes = [&](std::string_view key) { return escaped(human_bytes(number(found, key))); };
  return fmt::format(
      "<p class=\"legend\">host pool: {} asked for, {} given in whole pages and classes, {} taken from the "
      "kernel; {:.1f} % of it unused</p>\n",
      bytes("asked"), bytes("given"), bytes("reserved"), 100 * number(found, "fragmentation"));
}

std::string memory_bars(const std::string& record) {
  constexpr int colours = 6;
  std::string out;
  for (const TierBar& bar : tier_bars(record)) {
    const double whole = std::max(bar.total(), bar.measured);
    out += fmt::format(
        "<div class=\"tier\"><span class=\"tiername\">{}</span><div class=\"bars\"><div class=\"bar\">",
        escaped(bar.tier));
    int index = 0;
    std::string legend;
    for (const TierBar::Piece& piece : bar.foretold) {
      const int colour = index++ % colours;
      const std::string said = fmt::format("{} {}", escaped(piece.what), escaped(human_bytes(piece.bytes)));
      out += fmt::format("<span class=\"b{}\" style=\"width:{:.3f}%\" title=\"{}\"></span>", colour,
                         100 * piece.bytes / whole, said);
      legend += fmt::format("<span><i class=\"dot b{}\"></i>{}</span> ", colour, said);
    }
    out += fmt::format(
        "</div><div class=\"bar\"><span class=\"measured\" style=\"width:{:.3f}%\"></span></div><div "
        "class=\"legend\">foretold {} at the peak, {} allocated: "
        "{}</div></div></div>\n",
        100 * bar.measured / whole, escaped(human_bytes(bar.total())), escaped(human_bytes(bar.measured)),
        legend);
  }
  return out + pool_words(record);
}

}  // namespace trireme::train
