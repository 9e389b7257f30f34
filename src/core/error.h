#pragma once
#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace trireme {

/// What a process tells its caller to do next; the numbers are a promise to batch scripts.
enum class ExitCode : int {
  done = 0,
  usage = 64,
  internal = 70,
  requeue = 75,
  damaged = 76,
  configuration = 78,
  hang = 124,
};

/// A failure whose message is one sentence for the user and whose code is the process's exit status.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

template <typename... Args>
[[noreturn]] void fail(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

/// Throws an internal error unless `condition` holds: for mistakes of the program, not of its user.
template <typename... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw Error(ExitCode::internal, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace trireme
