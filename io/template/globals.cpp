#include <array>
#include <ctime>

#include <fmt/format.h>

#include "core/error.h"
#include "io/template/operators.h"
#include "io/template/python_text.h"
#include "io/template/renderer.h"

namespace trireme::io::jinja {
namespace {

std::int64_t whole(const Value& value) {
  std::int64_t number = 0;
  if (!as_integer(value, number)) refuse(fmt::format("range goes by whole numbers, not {}", kind_of(value)));
  return number;
}

Value range(Runtime& runtime, const Arguments& arguments) {
  const auto& given = arguments.positional;
  if (given.empty() || given.size() > 3) refuse("range takes one to three whole numbers");
  const std::int64_t first = given.size() > 1 ? whole(given[0]) : 0;
  const std::int64_t last = whole(given[given.size() > 1 ? 1 : 0]),
                     step = given.size() > 2 ? whole(given[2]) : 1;
  if (step == 0) refuse("the step of range is 0");
  constexpr std::size_t most = 100000;
  std::vector<Value> items;
  for (std::int64_t at = first; step > 0 ? at < last : at > last;) {
    if (items.size() == most) refuse(fmt::format("range is longer than {}", most));
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return runtime.list(std::move(items));
}

std::vector<std::pair<std::string, Value>> members(Runtime& runtime, const Arguments& arguments) {
  std::vector<std::pair<std::string, Value>> result;
  if (!arguments.positional.empty()) {
    const Mapping* mapping = arguments.positional.front().mapping();
    if (!mapping) refuse("dict and namespace take a dictionary or named arguments");
    result = mapping->items;
  }
  for (const auto& [name, value] : arguments.named) result.emplace_back(std::string(name), value);
  runtime.spend(result.size() * Runtime::item);
  return result;
}

Value space(Runtime& runtime, const Arguments& arguments) {
  Space* made = runtime.make_space();
  runtime.spend(Runtime::item * 4);
  made->members = members(runtime, arguments);
  return made;
}

Value dictionary(Runtime& runtime, const Arguments& arguments) {
  return make_mapping(members(runtime, arguments));
}

Value complain(Runtime& runtime, const Arguments& arguments) {
  constexpr std::size_t longest = 400;
  refuse("it refuses these messages: " +
         to_text(arguments.at(0, "message", "raise_exception"), runtime).substr(0, longest));
}

Value date(Runtime& runtime, const Arguments& arguments) {
  const std::string* format = arguments.at(0, "format", "strftime_now").text();
  if (!format || format->size() > 200) refuse("strftime_now takes a format of at most 200 letters");
  const std::time_t seconds = std::chrono::system_clock::to_time_t(runtime.now());
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 4096> text{};
  return runtime.text(
      std::string(text.data(), std::strftime(text.data(), text.size(), format->c_str(), &parts)));
}

struct Entry {
  std::string_view name;
  Value (*call)(Runtime&, const Arguments&);
};
constexpr std::array globals{Entry{"range", range}, Entry{"namespace", space}, Entry{"dict", dictionary},
                             Entry{"raise_exception", complain}, Entry{"strftime_now", date}};

}  // namespace

std::optional<Value> global_named(std::string_view name) {
  for (const Entry& entry : globals)
    if (entry.name == name)
      return Value(std::make_shared<const Callable>(Callable{std::string(name), entry.call}));
  return std::nullopt;
}

}  // namespace trireme::io::jinja
