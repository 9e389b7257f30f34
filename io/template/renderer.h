#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/template/runtime.h"
#include "io/template/syntax.h"

namespace trireme::io::jinja {

/// Carries a template out once.
class Renderer {
 public:
  Renderer(const Body& body, const Mapping& context, Runtime& runtime)
      : body_(body), context_(context), runtime_(runtime) {}
  std::string run();
  /// Where it is, for errors.
  int line() const { return line_; }

 private:
  enum class Flow { on, next, stop };
  /// Names that a for, a macro or a with has of its own; `parent` is where others are looked up.
  struct Frame {
    std::size_t parent = 0;
    std::uint64_t serial = 0;
    std::vector<std::pair<std::string_view, Value>> names;
  };

  Flow execute(const Body& body, std::string& out);
  Flow execute(const Statement& statement, std::string& out);
  Flow loop(const Statement& statement, std::string& out);
  Flow in_frame(const Body& body, std::string& out);
  void assign(const Statement& statement);
  void assign_block(const Statement& statement);
  void assign_to(const Target& target, Value value);
  void unpack(const std::vector<Target>& targets, const Value& value);
  void define_macro(const Statement& statement);
  Value call_macro(const Statement& statement, std::size_t frame, std::uint64_t serial,
                   const Arguments& arguments);
  void write(const Value& value, std::string& out);

  Value evaluate(const Expression& node);
  Value evaluate_call(const Expression& node);
  bool evaluate_comparison(const Expression& node);
  Value evaluate_joined(const Expression& node);
  Value evaluate_slice(const Expression& node);
  Value evaluate_dictionary(const Expression& node);
  std::vector<Value> evaluate_all(const Expression& node);
  Arguments arguments_of(const Expression& node);
  Value lookup(std::string_view name);

  Frame& top() { return frames_.back(); }
  std::size_t push(std::size_t parent) {
    frames_.push_back({parent, ++serial_, {}});
    return frames_.size() - 1;
  }

  const Body& body_;
  const Mapping& context_;
  Runtime& runtime_;
  std::vector<Frame> frames_;
  std::uint64_t serial_ = 0;
  int line_ = 1;
};

/// range, namespace, dict, raise_exception, strftime_now.
std::optional<Value> global_named(std::string_view name);

}  // namespace trireme::io::jinja
