#include "comm/topology_parse.h"

#include <algorithm>
#include <charconv>

namespace trireme::comm {
namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// Cuts the part before the separator off the front of `text`.
std::string_view next_field(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view field = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  return field;
}

}  // namespace

std::optional<long long> parse_number(std::string_view text) {
  text = trim(text);
  long long value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::vector<int>> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  text = trim(text);
  while (!text.empty()) {
    std::string_view range = next_field(text, ',');
    const bool single = range.find('-') == std::string_view::npos;
    const auto first = parse_number(next_field(range, '-'));
    const auto last = single ? first : parse_number(range);
    if (!first || !last || *first < 0 || *last < *first || *last > 1 << 20) return std::nullopt;
    for (long long cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

std::vector<int> parse_distances(std::string_view text) {
  std::vector<int> distances;
  text = trim(text);
  while (!text.empty()) {
    const std::string_view field = next_field(text, ' ');
    if (field.empty()) continue;
    const auto distance = parse_number(field);
    if (!distance || *distance < 0 || *distance > 255) return {};
    distances.push_back(static_cast<int>(*distance));
  }
  return distances;
}

double parse_speed_gigabits(std::string_view text) {
  const auto megabits = parse_number(text);
  // A driver without the answer says -1, or the same as an unsigned number.
  return megabits && *megabits > 0 && *megabits < 0xffffffffLL ? static_cast<double>(*megabits) / 1000 : 0;
}

double parse_infiniband_rate(std::string_view text) {
  text = trim(text);
  const std::size_t unit = text.find(" Gb/sec");
  if (unit == std::string_view::npos) return 0;
  double rate = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + unit, rate);
  return problem == std::errc{} && end == text.data() + unit && rate > 0 ? rate : 0;
}

std::string value_of_line(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = next_field(text, '\n');
    if (line.find(':') == std::string_view::npos) continue;
    if (trim(next_field(line, ':')) == key) return std::string(trim(line));
  }
  return {};
}

std::vector<Gpu> visible_gpus(const std::vector<Gpu>& all,
                              const std::optional<std::string>& cuda_visible_devices) {
  if (!cuda_visible_devices) return all;
  std::vector<Gpu> visible;
  std::string_view left = *cuda_visible_devices;
  while (!left.empty()) {
    const std::string_view entry = trim(next_field(left, ','));
    if (entry.starts_with("MIG-")) {
      visible.push_back({std::string(entry), "slice of a GPU", std::string(entry), -1});
    } else if (entry.starts_with("GPU-")) {
      const auto matches = [entry](const Gpu& gpu) { return gpu.uuid.starts_with(entry); };
      if (std::count_if(all.begin(), all.end(), matches) != 1) break;
      visible.push_back(*std::find_if(all.begin(), all.end(), matches));
    } else {
      const auto index = parse_number(entry);
      if (!index || *index < 0 || *index >= static_cast<long long>(all.size())) break;
      visible.push_back(all[static_cast<std::size_t>(*index)]);
    }
  }
  return visible;
}

}  // namespace trireme::comm
