#pragma once
#include <concepts>
#include <string>
#include <string_view>

namespace trireme::comm::bench {

/// One JSON object on one line, its fields in the order in which they are added.
class JsonLine {
 public:
  JsonLine& add(std::string_view name, std::string_view value);
  JsonLine& add(std::string_view name, const char* value) { return add(name, std::string_view(value)); }
  /// Six significant digits; null where the number is not finite.
  JsonLine& add(std::string_view name, double value);
  JsonLine& add(std::string_view name, bool value);
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) JsonLine& add(std::string_view name, Integer value) {
    return add_raw(name, std::to_string(value));
  }
  std::string text() const { return "{" + fields_ + "}"; }

 private:
  JsonLine& add_raw(std::string_view name, std::string_view value);
  std::string fields_;
};

}  // namespace trireme::comm::bench
