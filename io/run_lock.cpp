#include "io/run_lock.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <thread>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "io/disk_work.h"
#include "io/file.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;
constexpr const char* lock_file = "lock";

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

enum class Answer : std::uint8_t { taken, held, not_supported };

Answer try_lock(int descriptor) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return Answer::held;
    return Answer::not_supported;
  }
  return Answer::taken;
}

std::string holder(const fs::path& path) {
  try {
    std::string text = read_text(path, 4096);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text.empty() ? "another job" : text;
  } catch (const Error&) {
    return "another job";
  }
}

void write_holder(int descriptor, const std::string& about, const fs::path& path) {
  const std::time_t now = std::time(nullptr);
  const std::string text = fmt::format("process {} on {}, since {:%Y-%m-%d %H:%M:%S}, {}\n", ::getpid(),
                                       host_name(), fmt::localtime(now), about);
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, text.data(), text.size(), 0) < 0)
    log::warning("{}: who holds the folder cannot be written: {}", path.string(), std::strerror(errno));
}

}  // namespace

RunLock::RunLock(const fs::path& run_folder, const std::string& about, double patience_s) {
  on_disk("making " + run_folder.string(),
          [&](std::error_code& status) { fs::create_directories(run_folder, status); });
  const fs::path path = run_folder / lock_file;
  file_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file_) fail(ExitCode::configuration, "{}: cannot be opened: {}", path.string(), std::strerror(errno));
  const auto limit = std::chrono::steady_clock::now() + std::chrono::duration<double>(patience_s);
  Answer answer = try_lock(file_.get());
  while (answer == Answer::held && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    answer = try_lock(file_.get());
  }
  if (answer == Answer::held)
    fail(ExitCode::configuration,
         "{}: this run folder is in use by {}; wait for its end, or give this job another output_dir",
         run_folder.string(), holder(path));
  if (answer == Answer::not_supported)
    log::warning("{}: the file system has no locks; see to it that no second job uses this folder",
                 run_folder.string());
  write_holder(file_.get(), about, path);
}

bool RunLock::is_held(const fs::path& run_folder) {
  const Descriptor file(::open((run_folder / lock_file).c_str(), O_RDWR | O_CLOEXEC));
  return file && try_lock(file.get()) == Answer::held;
}

}  // namespace trireme::io
