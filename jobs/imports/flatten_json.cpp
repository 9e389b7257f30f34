#include "jobs/imports/flatten_json.h"

#include <boost/json/value.hpp>
#include <cmath>

#include "core/error.h"
#include "io/strict_json.h"

namespace trireme::jobs {
namespace {

namespace json = boost::json;

std::string number_text(double value) {
  constexpr double exact = 9007199254740992.0;
  if (value == std::floor(value) && std::abs(value) < exact)
    return std::to_string(static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

YAML::Node node_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return YAML::Node();
    case json::kind::bool_:
      return YAML::Node(value.as_bool() ? "true" : "false");
    case json::kind::int64:
      return YAML::Node(std::to_string(value.as_int64()));
    case json::kind::uint64:
      return YAML::Node(std::to_string(value.as_uint64()));
    case json::kind::double_:
      return YAML::Node(number_text(value.as_double()));
    case json::kind::string:
      return YAML::Node(std::string(value.as_string()));
    case json::kind::object:
      return YAML::Node(YAML::NodeType::Map);
    case json::kind::array:
      break;
  }
  YAML::Node list(YAML::NodeType::Sequence);
  for (const json::value& item : value.as_array()) list.push_back(node_of(item));
  return list;
}

void walk(const json::object& object, const std::string& prefix, const std::string& where,
          std::vector<Setting>& settings) {
  for (const auto& [key, value] : object) {
    const std::string name = prefix + std::string(key);
    if (value.is_object() && !value.as_object().empty()) {
      walk(value.as_object(), name + ".", where, settings);
    } else if (!value.is_object()) {
      settings.push_back({name, node_of(value), where});
    }
  }
}

}  // namespace

std::vector<Setting> flatten_json(std::string_view text, const std::string& where) {
  const json::value root = io::parse_strict_json(text, where);
  if (!root.is_object()) fail(ExitCode::configuration, "{}: must be a JSON object", where);
  std::vector<Setting> settings;
  walk(root.as_object(), "", where, settings);
  return settings;
}

}  // namespace trireme::jobs
