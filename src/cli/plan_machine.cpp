#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "cli/plan.h"
#include "comm/bench/fit.h"
#include "core/error.h"
#include "io/strict_json.h"
#include "offload/nvme/engine.h"
#include "sharding/predict/costs.h"
#include "sharding/tier_options.h"

namespace trireme::cli {
namespace {

namespace json = boost::json;

std::string contents(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail(ExitCode::configuration, "{}: cannot be opened", path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void set(sharding::Machine& machine, const std::string& name, double value, const std::string& where) {
  if (sharding::set_figure(machine, name, value)) return;
  std::string known;
  for (const auto& figure : sharding::figures_of(machine))
    known += fmt::format("{}{}", known.empty() ? "" : ", ", figure.name);
  fail(ExitCode::configuration, "{}: a machine has no figure \"{}\"; it has {}", where, name, known);
}

void set_from_words(sharding::Machine& machine, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    double value = 0;
    const char* end = word.data() + word.size();
    if (equals == std::string::npos || std::from_chars(word.data() + equals + 1, end, value).ptr != end ||
        !(value >= 0))
      fail(ExitCode::usage, "\"{}\" is not of the form figure=number, such as matrix_share=0.7", word);
    set(machine, word.substr(0, equals), value, word);
  }
}

/// What a file of figures says beside them.
constexpr std::string_view row_of_figures = "device", who_was_measured = "measured_on";

json::object figures_in(const std::string& path) {
  json::value root = io::parse_strict_json(contents(path), path);
  if (!root.is_object()) fail(ExitCode::configuration, "{}: is not a JSON object of figures", path);
  return std::move(root.get_object());
}

std::string word_in(const json::object& figures, std::string_view name) {
  const json::value* word = figures.if_contains(name);
  return word && word->is_string() ? std::string(word->get_string()) : std::string();
}

void set_from_file(sharding::Machine& machine, const std::string& path) {
  const json::object figures = figures_in(path);
  const std::string row = word_in(figures, row_of_figures);
  if (!row.empty() && (row == "cpu") != machine.device_is_host)
    fail(ExitCode::configuration, "{}: was measured on {}, and this counts with {}", path, row,
         machine.device);
  if (const std::string who = word_in(figures, who_was_measured); !who.empty()) machine.device = who;
  for (const auto& [name, value] : figures) {
    if (name == row_of_figures || name == who_was_measured) continue;
    if (!value.is_number()) fail(ExitCode::configuration, "{}: {} is not a number", path, std::string(name));
    set(machine, std::string(name), value.to_number<double>(), path);
  }
}

/// A line of `bench comm --json` says how long one collective took; the cost model wants the delay of a step
/// of a ring and the rate at which a rank sends.
struct Measured {
  std::vector<comm::bench::Sample> samples;
  /// Ranks that share memory, or nodes that share a border.
  double parts = 1;
};

/// A rate of the drives, of all that were measured: that of the requests most like those of a step.
struct DriveRate {
  double bytes_per_s = 0, unlike = 0;
  void consider(double rate, double block_bytes, double depth) {
    const auto octaves = [](double value, double wanted) { return std::abs(std::log2(value / wanted)); };
    const double here = octaves(std::max(block_bytes, 1.0), offload::EngineOptions{}.block_bytes) +
                        octaves(std::max(depth, 1.0), sharding::TierOptions{}.nvme_depth);
    if (bytes_per_s > 0 && here >= unlike) return;
    bytes_per_s = rate, unlike = here;
  }
};

/// Lines of `bench tier --json`: rates of the drives, and the best of the update on the host.
class MeasuredTiers {
 public:
  void add(const json::object& line) {
    const std::string what(line.at("what").as_string());
    const double rate = line.at("gb_s").to_number<double>() * giga;
    if (what == "adamw")
      update_ = std::max(
          update_, line.at("parameters_per_s").to_number<double>() * sharding::update_bytes_per_element);
    for (const auto& [name, drive] :
         {std::pair{"nvme_read", &read_}, {"nvme_write", &write_}, {"nvme_both", &both_}})
      if (what == name)
        drive->consider(rate, line.at("block_bytes").to_number<double>(),
                        line.at("depth").to_number<double>());
  }
  bool any() const { return read_.bytes_per_s > 0 || write_.bytes_per_s > 0 || update_ > 0; }
  void apply(sharding::Machine& machine) const {
    if (read_.bytes_per_s > 0) machine.nvme_bytes_per_s = read_.bytes_per_s;
    if (write_.bytes_per_s > 0) machine.nvme_write_bytes_per_s = write_.bytes_per_s;
    if (both_.bytes_per_s > 0) machine.nvme_both_bytes_per_s = both_.bytes_per_s;
    if (update_ > 0) machine.host_update_bytes_per_s = update_;
  }

 private:
  static constexpr double giga = 1e9;
  DriveRate read_, write_, both_;
  double update_ = 0;
};

void calibrate(sharding::Machine& machine, const std::string& path) {
  std::ifstream file(path);
  if (!file) fail(ExitCode::configuration, "{}: cannot be opened", path);
  std::map<std::pair<bool, std::string>, Measured> collectives;
  MeasuredTiers tiers;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const json::value root = io::parse_strict_json(line, fmt::format("{}:{}", path, number));
    const auto* object = root.if_object();
    const auto* collective = object ? object->if_contains("collective") : nullptr;
    const auto* time = object ? object->if_contains("time_us") : nullptr;
    if (object && object->contains("what") && object->contains("gb_s")) {
      tiers.add(*object);
      continue;
    }
    if (!collective || !time || !collective->is_string())
      fail(ExitCode::configuration,
           "{}:{}: is not a line of `trireme bench comm --json` or `bench tier --json`", path, number);
    const std::string name(collective->get_string());
    if (name != "all_gather" && name != "reduce_scatter") continue;
    const double ranks = object->at("ranks").to_number<double>();
    const double nodes = object->at("nodes").to_number<double>();
    const bool across = nodes > 1;
    const double parts = across && machine.device_is_host ? nodes : ranks;
    if (ranks < 2) continue;
    Measured& into = collectives[{across, name}];
    into.parts = parts;
    into.samples.push_back(
        {object->at("bytes").to_number<double>() * (parts - 1) / parts, time->to_number<double>() * 1e-6});
  }
  for (const bool across : {false, true}) {
    double delay = 0, seconds_per_byte = 0;
    int fitted = 0;
    for (const char* name : {"all_gather", "reduce_scatter"}) {
      const auto found = collectives.find({across, name});
      if (found == collectives.end()) continue;
      const auto fit = comm::bench::fit_alpha_beta(found->second.samples);
      if (!fit) continue;
      delay += std::max(0.0, fit->alpha_s) / (found->second.parts - 1);
      seconds_per_byte += 1 / fit->bytes_per_second;
      ++fitted;
    }
    if (fitted == 0) continue;
    (across ? machine.across : machine.inside) = {delay / fitted, fitted / seconds_per_byte};
    machine.link_share = 1;
  }
  if (collectives.empty() && !tiers.any())
    fail(ExitCode::configuration, "{}: has no all_gather or reduce_scatter of two ranks or more", path);
  tiers.apply(machine);
}

}  // namespace

double link_bytes_per_s(const std::string& text) {
  double gigabits = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, gigabits);
  const bool unit = rest == end || ((*rest == 'g' || *rest == 'G') && rest + 1 == end);
  if (status != std::errc() || !unit || !(gigabits > 0))
    fail(ExitCode::usage, "--link \"{}\" is not a rate in Gbit/s for each device, such as 400g", text);
  constexpr double bytes_per_gigabit = 1e9 / 8;
  return gigabits * bytes_per_gigabit;
}

std::string device_in(const std::string& machine_file) {
  return machine_file.empty() ? std::string() : word_in(figures_in(machine_file), row_of_figures);
}

sharding::Machine machine_of(const MachineWords& words) {
  sharding::Machine machine = sharding::known_machine(words.gpu, words.software);
  // The table says what a node of eight has.
  constexpr int devices_of_the_table = 8;
  if (words.gpu != "cpu")
    machine.across.bytes_per_s *= static_cast<double>(words.gpus_per_node) / devices_of_the_table;
  if (!words.link.empty()) machine.across.bytes_per_s = link_bytes_per_s(words.link) * words.gpus_per_node;
  if (!words.file.empty()) set_from_file(machine, words.file);
  if (!words.calibrate.empty()) calibrate(machine, words.calibrate);
  set_from_words(machine, words.figures);
  return machine;
}

}  // namespace trireme::cli
