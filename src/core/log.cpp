#include "core/log.h"

#include <memory>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "core/error.h"

namespace trireme::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("trireme", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made.set_pattern("[%H:%M:%S.%e] %^%l%$: %v");
    return made;
  }();
  return instance;
}

}  // namespace

void configure(std::string who, Level level) {
  logger().set_level(to_spdlog(level));
  logger().set_pattern("[%Y-%m-%d %H:%M:%S.%e] [" + std::move(who) + "] %^%l%$: %v");
}

void to_file(const std::string& path, bool console_too) {
  try {
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    auto& sinks = logger().sinks();
    if (!console_too) sinks.front()->set_level(spdlog::level::warn);
    file->set_pattern("[%Y-%m-%d %H:%M:%S.%e] %l: %v");
    sinks.push_back(std::move(file));
    logger().flush_on(spdlog::level::info);
  } catch (const spdlog::spdlog_ex& problem) {
    fail(ExitCode::configuration, "log file {} cannot be opened: {}", path, problem.what());
  }
}

void write(Level level, std::string_view line) {
  logger().log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace trireme::log
