#include "comm/watchdog/process.h"

#include <charconv>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

namespace trireme::comm {
namespace {

struct Stat {
  char state = 'X';
  unsigned long long started = 0;
};

Stat read_stat(int id) {
  const Descriptor file(open(fmt::format("/proc/{}/stat", id).c_str(), O_RDONLY | O_CLOEXEC));
  char text[1024];
  const ssize_t length = file ? read(file.get(), text, sizeof(text) - 1) : -1;
  Stat stat;
  if (length <= 0) return stat;
  text[length] = 0;
  // The program's name may hold anything, brackets and spaces too; what follows the last bracket is regular.
  const char* after_name = std::strrchr(text, ')');
  if (!after_name || text + length - after_name <= 2) return stat;
  const char* field = after_name + 2;
  stat.state = *field;
  constexpr int fields_until_start = 19;
  for (int passed = 0; passed < fields_until_start; ++passed) {
    field = std::strchr(field, ' ');
    if (!field) return stat;
    ++field;
  }
  std::from_chars(field, text + length, stat.started);
  return stat;
}

}  // namespace

Process::Process(int id)
    : id_(id), started_(read_stat(id).started), handle_(static_cast<int>(syscall(SYS_pidfd_open, id, 0))) {}

char Process::state() const {
  const Stat stat = read_stat(id_);
  return stat.started == started_ ? stat.state : 'X';
}

bool Process::gone() const {
  if (id_ == 0 || started_ == 0) return false;
  if (handle_) {
    pollfd ended{handle_.get(), POLLIN, 0};
    return poll(&ended, 1, 0) == 1;
  }
  const char now = state();
  return now == 'X' || now == 'Z';
}

bool Process::stopped() const {
  const char now = state();
  return now == 'T' || now == 't';
}

void Process::kill() const {
  if (id_ <= 0 || gone()) return;
  if (handle_) {
    syscall(SYS_pidfd_send_signal, handle_.get(), SIGKILL, nullptr, 0);
  } else if (state() != 'X') {
    ::kill(id_, SIGKILL);
  }
}

}  // namespace trireme::comm
