#include "comm/doctor/finding.h"

#include <algorithm>
#include <boost/json.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace trireme::comm::doctor {
namespace {

Verdict verdict_from_name(std::string_view name) {
  for (const Verdict verdict : {Verdict::ok, Verdict::warning, Verdict::problem})
    if (name_of(verdict) == name) return verdict;
  fail(ExitCode::internal, "there is no verdict '{}'", name);
}

boost::json::object json_of(const Finding& finding) {
  return {{"check", finding.check},
          {"verdict", name_of(finding.verdict)},
          {"found", finding.found},
          {"advice", finding.advice}};
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warning:
      return "warning";
    case Verdict::problem:
      return "problem";
  }
  return "unknown";
}

std::vector<Entry> merge(const std::vector<std::pair<std::string, std::vector<Finding>>>& findings_of_host) {
  std::vector<std::string> order;
  for (const auto& [host, findings] : findings_of_host)
    for (const Finding& finding : findings)
      if (std::find(order.begin(), order.end(), finding.check) == order.end()) order.push_back(finding.check);
  std::vector<Entry> entries;
  for (const std::string& check : order) {
    const std::size_t first = entries.size();
    for (const auto& [host, findings] : findings_of_host)
      for (const Finding& finding : findings) {
        if (finding.check != check) continue;
        const auto same = std::find_if(entries.begin() + static_cast<std::ptrdiff_t>(first), entries.end(),
                                       [&finding](const Entry& entry) { return entry.finding == finding; });
        if (same == entries.end()) {
          entries.push_back({finding, {host}});
        } else if (same->hosts.back() != host) {
          same->hosts.push_back(host);
        }
      }
  }
  return entries;
}

std::string to_json(const std::vector<Finding>& findings) {
  boost::json::array array;
  for (const Finding& finding : findings) array.push_back(json_of(finding));
  return boost::json::serialize(array);
}

std::vector<Finding> findings_from_json(std::string_view text) {
  const boost::json::value parsed = boost::json::parse({text.data(), text.size()});
  std::vector<Finding> findings;
  for (const boost::json::value& value : parsed.as_array()) {
    const auto field = [&value](const char* name) { return std::string(value.at(name).as_string()); };
    findings.push_back(
        {field("check"), verdict_from_name(field("verdict")), field("found"), field("advice")});
  }
  return findings;
}

std::string json_line(const Entry& entry) {
  boost::json::object object = json_of(entry.finding);
  object["hosts"] = boost::json::array(entry.hosts.begin(), entry.hosts.end());
  return boost::json::serialize(object);
}

std::string table(const std::vector<Entry>& entries, std::size_t hosts) {
  std::size_t width = 0;
  for (const Entry& entry : entries) width = std::max(width, entry.finding.check.size());
  std::string text;
  for (const Entry& entry : entries) {
    const Finding& finding = entry.finding;
    text += fmt::format("{:<8} {:<{}}  {}", name_of(finding.verdict), finding.check, width, finding.found);
    if (entry.hosts.size() != hosts) text += fmt::format("  [{}]", fmt::join(entry.hosts, ", "));
    text += '\n';
    if (!finding.advice.empty()) text += fmt::format("{:<8} {:<{}}  → {}\n", "", "", width, finding.advice);
  }
  return text;
}

int exit_status(const std::vector<Entry>& entries) {
  const bool bad = std::any_of(entries.begin(), entries.end(),
                               [](const Entry& entry) { return entry.finding.verdict == Verdict::problem; });
  return static_cast<int>(bad ? ExitCode::configuration : ExitCode::done);
}

}  // namespace trireme::comm::doctor
