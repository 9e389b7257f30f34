#pragma once
#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace trireme::io::jinja {

class Value;
struct Arguments;
class Runtime;

/// What a name or a member stands for that is not there; `why` is said when somebody uses it.
struct Undefined {
  std::shared_ptr<const std::string> why;
};
struct None {};
using Text = std::shared_ptr<const std::string>;

/// A list or a tuple; never changed once made, so there are no cycles.
struct Sequence;
/// A dictionary in the order in which it was written; its keys are texts.
struct Mapping;
/// What namespace() makes: the one thing that a template can change. The Runtime owns it.
struct Space {
  std::vector<std::pair<std::string, Value>> members;
};
/// The variable `loop` inside a for.
struct Loop {
  std::shared_ptr<const Sequence> items;
  std::size_t index = 0;
  std::vector<Value> seen;
};
struct Callable {
  std::string name;
  std::function<Value(Runtime&, const Arguments&)> call;
};

/// A value of the template language, with the meaning that Python gives it.
class Value {
 public:
  using Data = std::variant<Undefined, None, bool, std::int64_t, double, Text,
                            std::shared_ptr<const Sequence>, std::shared_ptr<const Mapping>, Space*,
                            std::shared_ptr<Loop>, std::shared_ptr<const Callable>>;

  Value() : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(std::int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(Undefined value) : data_(std::move(value)) {}
  Value(Space* space) : data_(space) {}
  Value(std::shared_ptr<Loop> loop) : data_(std::move(loop)) {}
  Value(std::shared_ptr<const Callable> callable) : data_(std::move(callable)) {}
  Value(std::shared_ptr<const Sequence> sequence) : data_(std::move(sequence)) {}
  Value(std::shared_ptr<const Mapping> mapping) : data_(std::move(mapping)) {}

  template <typename T>
  const T* get_if() const {
    return std::get_if<T>(&data_);
  }
  const std::string* text() const {
    const Text* text = get_if<Text>();
    return text ? text->get() : nullptr;
  }
  const Sequence* sequence() const {
    const auto* sequence = get_if<std::shared_ptr<const Sequence>>();
    return sequence ? sequence->get() : nullptr;
  }
  const Mapping* mapping() const {
    const auto* mapping = get_if<std::shared_ptr<const Mapping>>();
    return mapping ? mapping->get() : nullptr;
  }
  bool is_undefined() const { return get_if<Undefined>() != nullptr; }
  bool is_none() const { return get_if<None>() != nullptr; }
  /// An integer, or a boolean as one.
  const std::int64_t* integer() const { return get_if<std::int64_t>(); }
  const Data& data() const { return data_; }

 private:
  Data data_;
};

struct Sequence {
  std::vector<Value> items;
  bool is_tuple = false;
  int depth = 1;
};
struct Mapping {
  std::vector<std::pair<std::string, Value>> items;
  int depth = 1;
  const Value* find(std::string_view key) const;
};

/// Lists in lists beyond this many levels are refused, so that nothing that walks them can exhaust the stack.
constexpr int deepest_value = 128;

Value make_sequence(std::vector<Value> items, bool is_tuple = false);
Value make_mapping(std::vector<std::pair<std::string, Value>> items);
Value undefined(std::string why);
Value from_json(const boost::json::value& json);

/// As in an error: "a list", "a text".
std::string_view kind_of(const Value& value);
bool is_true(const Value& value);
/// As a number where it is one, booleans included.
bool as_number(const Value& value, double& number);
bool as_integer(const Value& value, std::int64_t& number);

/// Ends the rendering with a sentence; the line is put before it.
[[noreturn]] void refuse(const std::string& message);

/// What a call is given.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
  /// Keep the names that came with a dictionary alive.
  std::vector<Value> dictionaries;
  /// The argument at `place` or of this name; null where neither is given.
  const Value* find(std::size_t place, std::string_view name) const;
  const Value& at(std::size_t place, std::string_view name, std::string_view who) const;
  void expect_at_most(std::size_t count, std::string_view who) const;
};

}  // namespace trireme::io::jinja
