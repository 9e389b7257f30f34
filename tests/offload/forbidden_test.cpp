#include <cerrno>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "offload/host/pinned_source.h"
#include "offload/nvme/engine.h"
#include "tests/offload/scratch.h"

namespace trireme::offload {
namespace {

/// As container runtimes do it: io_uring_setup answers with an error for the rest of this process.
bool forbid_io_uring(int number) {
  std::vector<sock_filter> program{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(number)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

constexpr int forbidden_as_told = 0, could_not_forbid = 1, wrong_backend = 2, wrong_bytes = 3;

int write_and_read_without_io_uring(int number) {
  if (!forbid_io_uring(number)) return could_not_forbid;
  const tests::Scratch scratch;
  const Volume volume({scratch.path()}, 1 << 20);
  Engine engine(make_backend("auto", 4));
  if (engine.backend() != "threads") return wrong_backend;
  const Buffer memory = LockedPages({}).reserve(1 << 20);
  std::fill_n(memory.as<char>(), 1 << 20, 'x');
  engine.write(volume, 0, {memory.as<std::byte>(), 1 << 20}).wait();
  std::fill_n(memory.as<char>(), 1 << 20, 'y');
  engine.read(volume, 0, {memory.as<std::byte>(), 1 << 20}).wait();
  return std::count(memory.as<char>(), memory.as<char>() + (1 << 20), 'x') == 1 << 20 ? forbidden_as_told
                                                                                      : wrong_bytes;
}

TEST(Forbidden, WithoutIoUringThreadsReadAndWrite) {
  for (const int number : {EPERM, ENOSYS}) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(write_and_read_without_io_uring(number));
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == could_not_forbid) GTEST_SKIP() << "seccomp filters cannot be set here";
    EXPECT_EQ(WEXITSTATUS(status), forbidden_as_told) << number;
  }
}

}  // namespace
}  // namespace trireme::offload
