#include "cli/lost_pages.h"

#include <csignal>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "core/error.h"

namespace trireme::cli {
namespace {

// In a signal handler: nothing here may allocate, lock or throw.

std::uint64_t hex_number(const char*& at) {
  std::uint64_t value = 0;
  for (;; ++at) {
    const char c = *at;
    if (c >= '0' && c <= '9')
      value = value * 16 + static_cast<std::uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value * 16 + static_cast<std::uint64_t>(c - 'a' + 10);
    else
      return value;
  }
}

/// "7f10-7f20 rw-s 0 103:01 77   /drive/file": the file, where the address lies in it.
std::string_view file_of(const char* line, std::uint64_t address) {
  const char* at = line;
  const std::uint64_t begin = hex_number(at);
  if (*at++ != '-') return {};
  if (address < begin || address >= hex_number(at)) return {};
  const char* path = std::strchr(at, '/');
  return path ? path : "";
}

std::string_view find_file(std::uint64_t address, char* line, std::size_t room) {
  const int maps = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return {};
  std::size_t length = 0;
  for (char c = 0; ::read(maps, &c, 1) == 1;) {
    if (c != '\n') {
      if (length + 1 < room) line[length++] = c;
      continue;
    }
    line[length] = '\0';
    if (const std::string_view file = file_of(line, address); !file.empty()) return file;
    length = 0;
  }
  return {};
}

void say(std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (::write(STDERR_FILENO, word.data(), word.size()) < 0) return;
}

void name_page(int signal, siginfo_t* about, void*) {
  char line[4352];
  const auto address = reinterpret_cast<std::uint64_t>(about->si_addr);
  const std::string_view file =
      about->si_code == BUS_ADRERR ? find_file(address, line, sizeof line) : std::string_view();
  if (file.empty()) {
    // Something else: as if nobody had caught it.
    std::signal(signal, SIG_DFL);
    return;
  }
  const bool shared_memory = file.starts_with("/dev/shm/");
  say({"error: a page of ", file, " cannot be had: ",
       shared_memory
           ? "/dev/shm is full; make it larger (mount -o remount,size=…, or --shm-size of the container)\n"
           : "the drive under it is broken, full or gone; look at the drive (dmesg), then start again "
             "from the last checkpoint\n"});
  ::_exit(static_cast<int>(shared_memory ? ExitCode::configuration : ExitCode::requeue));
}

}  // namespace

void name_lost_pages() {
  struct sigaction action {};
  action.sa_sigaction = name_page;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace trireme::cli
