#include "model/settings.h"

#include <boost/json/serialize.hpp>

#include "core/error.h"

namespace trireme::model {

const boost::json::value* Settings::find(std::string_view key) const {
  const boost::json::value* value = object_.if_contains({key.data(), key.size()});
  return value && !value->is_null() ? value : nullptr;
}

void Settings::wrong(std::string_view key, std::string_view expected) const {
  const std::string given = boost::json::serialize(*find(key));
  fail(ExitCode::configuration, "{}: {} must be {}, not {}", where_, key, expected, given.substr(0, 80));
}

std::optional<std::int64_t> Settings::integer(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_int64()) wrong(key, "a whole number");
  return value->get_int64();
}

std::optional<double> Settings::number(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_number()) wrong(key, "a number");
  return value->to_number<double>();
}

std::optional<bool> Settings::boolean(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_bool()) wrong(key, "true or false");
  return value->get_bool();
}

std::optional<std::string> Settings::text(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) wrong(key, "a string");
  return std::string(value->get_string());
}

std::optional<Settings> Settings::section(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_object()) wrong(key, "an object");
  return Settings(value->get_object(), where_ + ": " + std::string(key));
}

std::int64_t Settings::count(std::string_view key, std::optional<std::int64_t> otherwise) const {
  const auto value = key.empty() ? std::nullopt : integer(key);
  if (!value && otherwise) return *otherwise;
  if (!value) fail(ExitCode::configuration, "{}: {} is missing", where_, key);
  if (*value < 1 || *value > std::int64_t{1} << 40) wrong(key, "a count");
  return *value;
}

}  // namespace trireme::model
