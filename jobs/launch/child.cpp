#include "jobs/launch/child.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/descriptor.h"
#include "core/error.h"

namespace trireme::jobs {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
      fail(ExitCode::internal, "no pipe can be made: {}", std::strerror(errno));
    read_end = Descriptor(ends[0]), write_end = Descriptor(ends[1]);
  }
  Descriptor read_end, write_end;
};

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

int start(const LaunchCommand& command, const sigset_t& mask) {
  Pipe problem;
  std::vector<std::string> words = command.arguments;
  const auto arguments = pointers_to(words);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) fail(ExitCode::internal, "no process can be started: {}", std::strerror(errno));
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    for (const auto& [name, value] : command.environment) setenv(name.c_str(), value.c_str(), 1);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    execvp(arguments.front(), arguments.data());
    const int why = errno;
    [[maybe_unused]] const auto told = write(problem.write_end.get(), &why, sizeof(why));
    _exit(127);
  }
  problem.write_end.reset();
  int why = 0;
  if (read(problem.read_end.get(), &why, sizeof(why)) == sizeof(why)) {
    waitpid(child, nullptr, 0);
    fail(ExitCode::configuration, "{} cannot be run: {}", command.arguments.front(), std::strerror(why));
  }
  return child;
}

std::string output_of(const std::vector<std::string>& arguments) {
  Pipe output;
  std::vector<std::string> words = arguments;
  const auto pointers = pointers_to(words);
  const pid_t child = fork();
  if (child < 0) return {};
  if (child == 0) {
    dup2(output.write_end.get(), STDOUT_FILENO);
    execvp(pointers.front(), pointers.data());
    _exit(127);
  }
  output.write_end.reset();
  std::string text;
  std::array<char, 1024> part;
  for (;;) {
    const ssize_t got = read(output.read_end.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  waitpid(child, nullptr, 0);
  return text;
}

std::string find_program(const std::string& name) {
  const auto runs = [](const std::filesystem::path& file) {
    return access(file.c_str(), X_OK) == 0 && !std::filesystem::is_directory(file);
  };
  if (name.find('/') != std::string::npos) return runs(name) ? name : "";
  const char* path = std::getenv("PATH");
  std::stringstream folders(path ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (const auto file = std::filesystem::path(folder.empty() ? "." : folder) / name; runs(file))
      return file;
  return {};
}

}  // namespace trireme::jobs
