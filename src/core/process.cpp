#include "core/process.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"

extern char** environ;

namespace trireme {
namespace {

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail(ExitCode::internal, "pipe: {}", std::strerror(errno));
    read = ends[0], write = ends[1];
  }
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_read() {
    if (read >= 0) ::close(read);
    read = -1;
  }
  void close_write() {
    if (write >= 0) ::close(write);
    write = -1;
  }
};

struct SpawnActions {
  posix_spawn_file_actions_t actions{};
  SpawnActions() { posix_spawn_file_actions_init(&actions); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
};

void read_some(Pipe& pipe, std::string& into) {
  std::array<char, 16384> chunk{};
  const ssize_t got = ::read(pipe.read, chunk.data(), chunk.size());
  if (got > 0) {
    into.append(chunk.data(), static_cast<std::size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    pipe.close_read();
  }
}

void write_some(Pipe& pipe, const std::string& input, std::size_t& written) {
  const ssize_t put = ::write(pipe.write, input.data() + written, input.size() - written);
  if (put > 0) written += static_cast<std::size_t>(put);
  if (written == input.size() || (put < 0 && errno != EINTR && errno != EAGAIN)) pipe.close_write();
}

/// A child that ends without reading its input must not end us.
class IgnoreBrokenPipe {
 public:
  IgnoreBrokenPipe() : before_(signal(SIGPIPE, SIG_IGN)) {}
  ~IgnoreBrokenPipe() { signal(SIGPIPE, before_); }
  IgnoreBrokenPipe(const IgnoreBrokenPipe&) = delete;
  IgnoreBrokenPipe& operator=(const IgnoreBrokenPipe&) = delete;

 private:
  void (*before_)(int);
};

}  // namespace

ProcessResult run_process(const std::vector<std::string>& words, const std::string& input) {
  require(!words.empty(), "run_process: no program named");
  Pipe in, out, errors;
  SpawnActions spawn;
  posix_spawn_file_actions_adddup2(&spawn.actions, in.read, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&spawn.actions, out.write, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&spawn.actions, errors.write, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  pid_t child = -1;
  const int problem = posix_spawnp(&child, arguments[0], &spawn.actions, nullptr, arguments.data(), environ);
  if (problem != 0)
    fail(ExitCode::configuration, "{} cannot be started: {}", words[0], std::strerror(problem));
  in.close_read(), out.close_write(), errors.close_write();

  const IgnoreBrokenPipe guard;
  ProcessResult result;
  std::size_t written = 0;
  fcntl(in.write, F_SETFL, O_NONBLOCK);
  if (input.empty()) in.close_write();
  while (in.write >= 0 || out.read >= 0 || errors.read >= 0) {
    std::array<pollfd, 3> ends{{{out.read, POLLIN, 0}, {errors.read, POLLIN, 0}, {in.write, POLLOUT, 0}}};
    if (poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) break;
    if (ends[0].revents) read_some(out, result.output);
    if (ends[1].revents) read_some(errors, result.errors);
    if (ends[2].revents) write_some(in, input, written);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace trireme
