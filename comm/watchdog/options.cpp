#include "comm/watchdog/options.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "comm/watchdog/environment.h"
#include "core/error.h"

namespace trireme::comm {

WatchdogOptions WatchdogOptions::from_environment() {
  WatchdogOptions options;
  if (const char* folder = std::getenv(run_folder_variable)) options.run_folder = folder;
  if (const char* copy = std::getenv(status_copy_variable)) options.status_copy = copy;
  if (const char* launch = std::getenv(launch_variable)) options.launch = launch;
  if (const char* limit = std::getenv(time_limit_variable)) {
    const std::string_view text(limit);
    long long milliseconds = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
    if (problem != std::errc() || end != text.data() + text.size() || milliseconds <= 0)
      fail(ExitCode::configuration, "{}='{}' is not a number of milliseconds above zero", time_limit_variable,
           text);
    options.time_limit = std::chrono::milliseconds(milliseconds);
  }
  return options;
}

}  // namespace trireme::comm
