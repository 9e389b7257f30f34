#include "comm/bench/json_line.h"

#include <boost/json/serialize.hpp>
#include <cmath>

#include <fmt/format.h>

namespace trireme::comm::bench {

JsonLine& JsonLine::add(std::string_view name, std::string_view value) {
  return add_raw(name, boost::json::serialize(boost::json::string_view(value.data(), value.size())));
}

JsonLine& JsonLine::add(std::string_view name, double value) {
  return add_raw(name, std::isfinite(value) ? fmt::format("{:.6g}", value) : "null");
}

JsonLine& JsonLine::add(std::string_view name, bool value) {
  return add_raw(name, value ? "true" : "false");
}

JsonLine& JsonLine::add_raw(std::string_view name, std::string_view value) {
  fields_ += fmt::format("{}\"{}\": {}", fields_.empty() ? "" : ", ", name, value);
  return *this;
}

}  // namespace trireme::comm::bench
