#include "cli/lost_pages.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
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
  std::array<char, 4096> block;
  std::size_t length = 0;
  for (::ssize_t got = 0; (got = ::read(maps, block.data(), block.size())) > 0;)
    for (::ssize_t i = 0; i < got; ++i) {
      const char c = block[static_cast<std::size_t>(i)];
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

std::atomic_flag told = ATOMIC_FLAG_INIT;
struct sigaction before {};

/// Something else: as if this handler were not there. With the former action in place the same instruction
/// meets it, or the signal that a process sent.
void leave_to_former(int signal, const siginfo_t& about) {
  ::sigaction(signal, &before, nullptr);
  if (about.si_code <= 0) ::raise(signal);
}

void name_page(int signal, siginfo_t* about, void*) {
  // The memory of a mapped file that cannot be had; huge pages that ran out have no file to name.
  char line[4352];
  const auto address = reinterpret_cast<std::uint64_t>(about->si_addr);
  const std::string_view file =
      about->si_code == BUS_ADRERR ? find_file(address, line, sizeof line) : std::string_view();
  if (file.empty() || file.starts_with("/anon_hugepage")) return leave_to_former(signal, *about);
  // Lanes that lose pages at the same moment leave the sentence to the first.
  if (told.test_and_set())
    for (;;) ::pause();
  const bool memory = file.starts_with("/dev/shm/") || file.starts_with("/memfd:");
  say({"error: a page of ", file, " cannot be had: ",
       memory ? "/dev/shm is full; make it larger (mount -o remount,size=…, or --shm-size of the container)\n"
              : "the drive under it is broken, full or gone, or the file was cut; look at the drive (dmesg), "
                "then start again from the last checkpoint\n"});
  ::_exit(static_cast<int>(memory ? ExitCode::configuration : ExitCode::requeue));
}

}  // namespace

void name_lost_pages() {
  // UCX would put a handler of its own over this one, which names no file. Open MPI leaves one that is there.
  ::setenv("UCX_ERROR_SIGNALS", "SIGILL,SIGSEGV,SIGFPE", 0);
  struct sigaction action {};
  action.sa_sigaction = name_page;
  action.sa_flags = SA_SIGINFO;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &before);
}

}  // namespace trireme::cli
