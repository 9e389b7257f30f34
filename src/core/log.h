#pragma once
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace trireme::log {

enum class Level { debug, info, warning, error };

/// Every line carries `who` ("rank 3 on n02"); lines below `level` are dropped. Goes to stderr until
/// `to_file` is called.
void configure(std::string who, Level level);
/// Also appends to this file from now on; the console keeps warnings and errors only unless `console_too`.
void to_file(const std::string& path, bool console_too);
void write(Level level, std::string_view line);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace trireme::log
