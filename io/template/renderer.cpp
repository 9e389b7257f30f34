#include "io/template/renderer.h"

#include <fmt/format.h>

#include "io/template/operators.h"
#include "io/template/python_text.h"

namespace trireme::io::jinja {

using Kind = Statement::Kind;

namespace {

void set_name(std::vector<std::pair<std::string_view, Value>>& names, std::string_view name, Value value) {
  for (auto& [key, held] : names)
    if (key == name) return void(held = std::move(value));
  names.emplace_back(name, std::move(value));
}

}  // namespace

std::string Renderer::run() {
  push(0);
  std::string out;
  execute(body_, out);
  return out;
}

Renderer::Flow Renderer::execute(const Body& body, std::string& out) {
  const Runtime::Level level(runtime_);
  for (const Statement& statement : body)
    if (const Flow flow = execute(statement, out); flow != Flow::on) return flow;
  return Flow::on;
}

Renderer::Flow Renderer::execute(const Statement& statement, std::string& out) {
  runtime_.spend(Runtime::step);
  line_ = statement.line;
  switch (statement.kind) {
    case Kind::text:
      runtime_.spend(statement.text.size());
      out += statement.text;
      return Flow::on;
    case Kind::output:
      write(evaluate(*statement.value), out);
      return Flow::on;
    case Kind::condition:
      for (const Branch& branch : statement.branches)
        if (!branch.condition || is_true(evaluate(*branch.condition))) return execute(branch.body, out);
      return Flow::on;
    case Kind::loop:
      return loop(statement, out);
    case Kind::assign:
      assign(statement);
      return Flow::on;
    case Kind::assign_block:
      assign_block(statement);
      return Flow::on;
    case Kind::macro:
      define_macro(statement);
      return Flow::on;
    case Kind::scope: {
      std::vector<Value> values;
      for (const ExpressionPtr& value : statement.values) values.push_back(evaluate(*value));
      push(frames_.size() - 1);
      for (std::size_t i = 0; i < values.size(); ++i)
        set_name(top().names, statement.targets[i].name, std::move(values[i]));
      return in_frame(statement.body, out);
    }
    case Kind::plain:
      return execute(statement.body, out);
    case Kind::next:
      return Flow::next;
    case Kind::stop:
      return Flow::stop;
  }
  return Flow::on;
}

/// Runs a body whose frame was pushed, and takes it off.
Renderer::Flow Renderer::in_frame(const Body& body, std::string& out) {
  const Flow flow = execute(body, out);
  frames_.pop_back();
  return flow;
}

void Renderer::write(const Value& value, std::string& out) {
  if (const std::string* text = value.text()) {
    runtime_.spend(text->size());
    out += *text;
  } else {
    const std::string written = to_text(value, runtime_);
    runtime_.spend(written.size());
    out += written;
  }
}

Renderer::Flow Renderer::loop(const Statement& statement, std::string& out) {
  std::vector<Value> items = items_of(evaluate(*statement.value), runtime_);
  if (statement.filter) {
    std::vector<Value> wanted;
    push(frames_.size() - 1);
    for (Value& item : items) {
      top().names.clear();
      unpack(statement.targets, item);
      if (is_true(evaluate(*statement.filter))) wanted.push_back(std::move(item));
    }
    frames_.pop_back();
    items = std::move(wanted);
  }
  if (items.empty()) {
    push(frames_.size() - 1);
    return in_frame(statement.otherwise, out);
  }
  const Value all = runtime_.list(std::move(items));
  const auto state = std::make_shared<Loop>();
  state->items = *all.get_if<std::shared_ptr<const Sequence>>();
  push(frames_.size() - 1);
  Flow flow = Flow::on;
  for (state->index = 0; state->index < state->items->items.size() && flow != Flow::stop; ++state->index) {
    runtime_.spend(Runtime::step);
    top().names.clear();
    top().names.emplace_back("loop", state);
    unpack(statement.targets, state->items->items[state->index]);
    flow = execute(statement.body, out);
  }
  frames_.pop_back();
  return Flow::on;
}

void Renderer::unpack(const std::vector<Target>& targets, const Value& value) {
  if (targets.size() == 1) return assign_to(targets.front(), value);
  const std::vector<Value> items = items_of(value, runtime_);
  if (items.size() != targets.size())
    refuse(fmt::format("{} values are assigned to {} names", items.size(), targets.size()));
  for (std::size_t i = 0; i < targets.size(); ++i) assign_to(targets[i], items[i]);
}

void Renderer::assign_to(const Target& target, Value value) {
  if (target.member.empty()) return set_name(top().names, target.name, std::move(value));
  const Value holder = lookup(target.name);
  Space* const* space = holder.get_if<Space*>();
  if (!space) refuse(fmt::format("{} is not a namespace, so its member cannot be set", target.name));
  if (target.member.front() == '_') refuse("a member of a namespace may not begin with _");
  for (auto& [name, held] : (*space)->members)
    if (name == target.member) return void(held = std::move(value));
  runtime_.spend(Runtime::item + target.member.size());
  (*space)->members.emplace_back(target.member, std::move(value));
}

void Renderer::assign(const Statement& statement) {
  unpack(statement.targets, evaluate(*statement.value));
}

void Renderer::assign_block(const Statement& statement) {
  std::string text;
  push(frames_.size() - 1);
  in_frame(statement.body, text);
  Value value(std::move(text));
  if (statement.value) {
    // The chain of filters begins with the name "": the block itself.
    push(frames_.size() - 1);
    set_name(top().names, "", std::move(value));
    value = evaluate(*statement.value);
    frames_.pop_back();
  }
  assign_to(statement.targets.front(), std::move(value));
}

void Renderer::define_macro(const Statement& statement) {
  const std::size_t frame = frames_.size() - 1;
  const std::uint64_t serial = top().serial;
  auto call = [this, &statement, frame, serial](Runtime&, const Arguments& arguments) {
    return call_macro(statement, frame, serial, arguments);
  };
  set_name(top().names, statement.text,
           std::make_shared<const Callable>(Callable{statement.text, std::move(call)}));
}

Value Renderer::call_macro(const Statement& statement, std::size_t frame, std::uint64_t serial,
                           const Arguments& arguments) {
  if (frame >= frames_.size() || frames_[frame].serial != serial)
    refuse(fmt::format("the macro {} is called outside of where it was made", statement.text));
  arguments.expect_at_most(statement.parameters.size(), statement.text);
  for (const auto& [name, value] : arguments.named) {
    bool known = false;
    for (const Parameter& parameter : statement.parameters) known = known || parameter.name == name;
    if (!known) refuse(fmt::format("the macro {} has no parameter {}", statement.text, name));
  }
  push(frame);
  for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
    const Parameter& parameter = statement.parameters[i];
    Value value = undefined(fmt::format("the parameter {} was not given", parameter.name));
    if (const Value* given = arguments.find(i, parameter.name)) {
      value = *given;
    } else if (parameter.fallback) {
      value = evaluate(*parameter.fallback);
    }
    set_name(top().names, parameter.name, std::move(value));
  }
  const int line = line_;
  std::string text;
  in_frame(statement.body, text);
  line_ = line;
  return Value(std::move(text));
}

Value Renderer::lookup(std::string_view name) {
  for (std::size_t at = frames_.size() - 1;; at = frames_[at].parent) {
    const auto& names = frames_[at].names;
    runtime_.spend(names.size());
    for (const auto& [key, value] : names)
      if (key == name) return value;
    if (at == 0) break;
  }
  if (const Value* value = context_.find(name)) return *value;
  if (std::optional<Value> value = global_named(name)) return std::move(*value);
  return undefined(fmt::format("{} is not defined", name));
}

}  // namespace trireme::io::jinja
