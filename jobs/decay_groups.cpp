#include "jobs/decay_groups.h"

#include <charconv>
#include <regex>

#include <fmt/format.h>

#include "core/error.h"

namespace trireme::jobs {
namespace {

DecayGroup read_group(const std::string& where, const YAML::Node& entry) {
  if (!entry.IsMap() || entry.size() != 2 || !entry["match"] || !entry["weight_decay"] ||
      !entry["match"].IsScalar() || !entry["weight_decay"].IsScalar())
    fail(ExitCode::configuration, "{} must be a mapping with match and weight_decay", where);
  DecayGroup group;
  group.match = entry["match"].Scalar();
  // Long or nested expressions could take for ever on a name.
  constexpr std::size_t longest = 200;
  if (group.match.empty() || group.match.size() > longest)
    fail(ExitCode::configuration, "{}.match must have between 1 and {} letters", where, longest);
  try {
    static_cast<void>(std::regex(group.match));
  } catch (const std::regex_error&) {
    fail(ExitCode::configuration, "{}.match: \"{}\" is not a regular expression", where, group.match);
  }
  const std::string& number = entry["weight_decay"].Scalar();
  const auto [end, problem] =
      std::from_chars(number.data(), number.data() + number.size(), group.weight_decay);
  if (problem != std::errc() || end != number.data() + number.size() ||
      !(group.weight_decay >= 0 && group.weight_decay <= 1e3))
    fail(ExitCode::configuration, "{}.weight_decay must be a number between 0 and 1000", where);
  return group;
}

}  // namespace

std::vector<DecayGroup> read_decay_groups(const std::string& where, const YAML::Node& value) {
  std::vector<DecayGroup> groups;
  if (value.IsNull()) return groups;
  if (!value.IsSequence())
    fail(ExitCode::configuration, "{} must be a list of mappings with match and weight_decay", where);
  for (std::size_t i = 0; i < value.size(); ++i)
    groups.push_back(read_group(fmt::format("{}[{}]", where, i), value[i]));
  return groups;
}

void write_decay_groups(YAML::Emitter& out, const std::vector<DecayGroup>& groups) {
  out << YAML::Key << "weight_decay_groups" << YAML::Value << YAML::BeginSeq;
  for (const DecayGroup& group : groups)
    out << YAML::Flow << YAML::BeginMap << YAML::Key << "match" << YAML::Value << YAML::DoubleQuoted
        << group.match << YAML::Key << "weight_decay" << YAML::Value << fmt::format("{}", group.weight_decay)
        << YAML::EndMap;
  out << YAML::EndSeq;
}

boost::json::value decay_groups_schema() {
  return {{"type", "array"},
          {"items",
           {{"type", "object"},
            {"additionalProperties", false},
            {"required", {"match", "weight_decay"}},
            {"properties",
             {{"match", {{"type", "string"}, {"minLength", 1}, {"maxLength", 200}}},
              {"weight_decay", {{"type", "number"}, {"minimum", 0}, {"maximum", 1000}}}}}}}};
}

}  // namespace trireme::jobs
