#include "comm/watchdog/run_log.h"

#include <cerrno>
#include <chrono>
#include <cstring>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <poll.h>

#include "core/error.h"

namespace trireme::comm {
namespace {

void write_without_waiting(int descriptor, std::string_view text) {
  pollfd ready{descriptor, POLLOUT, 0};
  if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) return;
  [[maybe_unused]] const auto written = ::write(descriptor, text.data(), text.size());
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& run_folder, int rank, const std::string& host)
    : who_(fmt::format("rank {} on {}", rank, host)) {
  if (run_folder.empty()) return;
  const auto folder = run_folder / "log";
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  const auto file = folder / fmt::format("rank-{}.log", rank);
  file_ = Descriptor(open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file_)
    fail(ExitCode::configuration, "log file {} cannot be opened: {}", file.string(), std::strerror(errno));
}

void RunLog::write(std::string_view level, std::string_view line) const noexcept {
  try {
    const auto now = std::chrono::system_clock::now();
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    const auto stamp = fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}",
                                   fmt::localtime(std::chrono::system_clock::to_time_t(now)), milliseconds);
    if (file_) write_without_waiting(file_.get(), fmt::format("[{}] {}: {}\n", stamp, level, line));
    write_without_waiting(STDERR_FILENO, fmt::format("[{}] [{}] {}: {}\n", stamp, who_, level, line));
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): out of memory, the verdict still stands
  }
}

}  // namespace trireme::comm
