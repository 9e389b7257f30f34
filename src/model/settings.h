#pragma once
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace trireme::model {

/// The object of a config.json with typed reads. Null counts as absent, as it does for transformers.
class Settings {
 public:
  Settings(const boost::json::object& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  /// Whether the key is there at all, null included.
  bool given(std::string_view key) const { return object_.contains({key.data(), key.size()}); }
  const boost::json::value* find(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  std::optional<Settings> section(std::string_view key) const;
  /// A whole number of at least one and at most 2^40, or the given default; fails when there is neither.
  std::int64_t count(std::string_view key, std::optional<std::int64_t> otherwise = {}) const;
  const std::string& where() const { return where_; }

 private:
  [[noreturn]] void wrong(std::string_view key, std::string_view expected) const;

  const boost::json::object& object_;
  std::string where_;
};

}  // namespace trireme::model
