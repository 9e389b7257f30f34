#pragma once
#include <chrono>
#include <cstdint>
#include <deque>

#include "io/template/value.h"

namespace trireme::io::jinja {

/// What one rendering may use: work (steps and bytes written), depth of the stack, and namespaces. A template
/// is a stranger's, so all are bounded.
class Runtime {
 public:
  /// Steps cost `step`, texts a unit a byte, items of lists `item`.
  static constexpr std::uint64_t most_work = std::uint64_t{1} << 28, step = 8, item = 32;
  static constexpr int deepest = 600;

  explicit Runtime(std::chrono::sys_seconds now) : now_(now) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  void spend(std::uint64_t work) {
    spent_ += work;
    if (spent_ > most_work) refuse("it works without end: a limit on steps and text was reached");
  }
  Value text(std::string bytes) {
    spend(bytes.size());
    return Value(std::move(bytes));
  }
  Value list(std::vector<Value> items, bool is_tuple = false) {
    spend(items.size() * item);
    return make_sequence(std::move(items), is_tuple);
  }
  Space* make_space() { return &spaces_.emplace_back(); }
  std::chrono::sys_seconds now() const { return now_; }

  /// One level deeper for as long as it lives.
  class Level {
   public:
    explicit Level(Runtime& runtime) : runtime_(runtime) {
      if (++runtime_.depth_ > deepest) {
        --runtime_.depth_;
        refuse("its macros call each other too deeply");
      }
    }
    ~Level() { --runtime_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Runtime& runtime_;
  };

 private:
  std::chrono::sys_seconds now_;
  std::uint64_t spent_ = 0;
  int depth_ = 0;
  std::deque<Space> spaces_;
};

}  // namespace trireme::io::jinja
