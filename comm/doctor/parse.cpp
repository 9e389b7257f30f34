#include "comm/doctor/parse.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "comm/topology_parse.h"

namespace trireme::comm::doctor {
namespace {

bool is_digit(char letter) {
  return std::isdigit(static_cast<unsigned char>(letter)) != 0;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> fields;
  std::istringstream stream{std::string(text)};
  for (std::string field; std::getline(stream, field, separator);) fields.push_back(field);
  return fields;
}

}  // namespace

std::map<std::string, std::uint64_t> parse_meminfo(std::string_view text) {
  std::map<std::string, std::uint64_t> values;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::istringstream rest(line.substr(colon + 1));
    std::uint64_t value = 0;
    std::string unit;
    if (!(rest >> value)) continue;
    rest >> unit;
    values[line.substr(0, colon)] = unit == "kB" ? value * 1024 : value;
  }
  return values;
}

std::string parse_choice(std::string_view text) {
  const std::size_t open = text.find('['), close = text.find(']', open == std::string_view::npos ? 0 : open);
  if (open == std::string_view::npos || close == std::string_view::npos) return {};
  return std::string(text.substr(open + 1, close - open - 1));
}

std::set<std::string> parse_cpu_flags(std::string_view text) {
  std::string line = value_of_line(text, "flags");
  if (line.empty()) line = value_of_line(text, "Features");
  std::istringstream words(line);
  std::set<std::string> flags;
  for (std::string word; words >> word;) flags.insert(word);
  return flags;
}

std::string parse_cpu_model(std::string_view text) {
  return value_of_line(text, "model name");
}

std::string parse_dotted_version(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) || (at > 0 && (is_digit(text[at - 1]) || text[at - 1] == '.'))) continue;
    std::size_t end = at;
    while (end < text.size() &&
           (is_digit(text[end]) || (text[end] == '.' && end + 1 < text.size() && is_digit(text[end + 1]))))
      ++end;
    const std::string_view candidate = text.substr(at, end - at);
    if (candidate.find('.') != std::string_view::npos) return std::string(candidate);
  }
  return {};
}

std::string parse_nvidia_version(std::string_view text) {
  const std::string line = value_of_line(text, "NVRM version");
  const std::size_t module = line.find("Kernel Module");
  return module == std::string::npos ? std::string{}
                                     : parse_dotted_version(std::string_view(line).substr(module));
}

std::vector<CgroupMembership> parse_cgroup_memberships(std::string_view text) {
  std::vector<CgroupMembership> memberships;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || !parse_number(line.substr(0, first))) continue;
    const std::string path = line.substr(second + 1);
    if (!path.starts_with('/')) continue;
    memberships.push_back({split(line.substr(first + 1, second - first - 1), ','), path});
  }
  return memberships;
}

std::optional<std::uint64_t> parse_cgroup_bytes(std::string_view text) {
  // v1 writes "no limit" as the largest multiple of a page, whatever the page's size.
  constexpr long long no_limit = 1LL << 60;
  const auto bytes = parse_number(text);
  if (!bytes || *bytes < 0 || *bytes >= no_limit) return std::nullopt;
  return static_cast<std::uint64_t>(*bytes);
}

std::optional<double> parse_cpu_quota(std::string_view quota, std::string_view period) {
  const auto allowed = parse_number(quota), every = parse_number(period);
  if (!allowed || !every || *allowed <= 0 || *every <= 0) return std::nullopt;
  return static_cast<double>(*allowed) / static_cast<double>(*every);
}

std::optional<double> parse_cpu_max(std::string_view text) {
  const std::size_t blank = text.find(' ');
  return blank == std::string_view::npos ? std::nullopt
                                         : parse_cpu_quota(text.substr(0, blank), text.substr(blank));
}

}  // namespace trireme::comm::doctor
