#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trireme::comm::doctor {

enum class Verdict { ok, warning, problem };
std::string_view name_of(Verdict verdict);

/// What one check found on one machine. A problem makes training impossible; a warning makes it slower or
/// breaks a feature.
struct Finding {
  std::string check;
  Verdict verdict = Verdict::ok;
  std::string found;
  std::string advice;  ///< what to do; empty when there is nothing to do
  bool operator==(const Finding&) const = default;
};

inline Finding ok(std::string check, std::string found) {
  return {std::move(check), Verdict::ok, std::move(found), {}};
}
inline Finding warning(std::string check, std::string found, std::string advice) {
  return {std::move(check), Verdict::warning, std::move(found), std::move(advice)};
}
inline Finding problem(std::string check, std::string found, std::string advice) {
  return {std::move(check), Verdict::problem, std::move(found), std::move(advice)};
}

/// One or more findings that are the same on several hosts.
struct Entry {
  Finding finding;
  std::vector<std::string> hosts;
};

/// Joins what several hosts found: check by check in the order of the first host that made it, equal findings
/// into one entry.
std::vector<Entry> merge(const std::vector<std::pair<std::string, std::vector<Finding>>>& findings_of_host);

std::string to_json(const std::vector<Finding>& findings);
std::vector<Finding> findings_from_json(std::string_view text);

/// One line of JSON: check, verdict, found, advice, hosts.
std::string json_line(const Entry& entry);
/// Lines for people; names the hosts where not all of `hosts` agree.
std::string table(const std::vector<Entry>& entries, std::size_t hosts);
/// 0, or 78 when there is a problem.
int exit_status(const std::vector<Entry>& entries);

}  // namespace trireme::comm::doctor
