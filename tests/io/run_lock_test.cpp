#include "io/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using trireme::testing::message_of;
using trireme::testing::Scratch;

TEST(RunLock, RefusesASecondJobAndNamesTheFirst) {
  Scratch scratch;
  const auto run = scratch / "run";
  const RunLock first(run, "2 ranks");
  EXPECT_TRUE(RunLock::is_held(run));
  const std::string message = message_of(ExitCode::configuration, [&] { RunLock(run, "4 ranks", 0.1); });
  EXPECT_THAT(message, AllOf(HasSubstr("in use by process " + std::to_string(getpid())), HasSubstr("2 ranks"),
                             HasSubstr("another output_dir"), Not(HasSubstr("\n"))));
}

TEST(RunLock, IsFreeWhenItsHolderEnds) {
  Scratch scratch;
  { const RunLock first(scratch.path(), "a job"); }
  EXPECT_FALSE(RunLock::is_held(scratch.path()));
  EXPECT_NO_THROW(RunLock(scratch.path(), "the next", 0));
}

TEST(RunLock, IsFreeWhenItsHolderIsKilled) {
  Scratch scratch;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const RunLock lock(scratch.path(), "a job that dies");
    if (write(ready[1], "x", 1) == 1) pause();
    _exit(1);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { RunLock(scratch.path(), "mine", 0); }),
              HasSubstr("process " + std::to_string(child)));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(RunLock(scratch.path(), "mine", 0));
  close(ready[0]);
  close(ready[1]);
}

TEST(RunLock, WaitsForAJobThatIsJustEnding) {
  Scratch scratch;
  const pid_t child = fork();
  if (child == 0) {
    const RunLock lock(scratch.path(), "a job that ends");
    usleep(300000);
    _exit(0);
  }
  while (!RunLock::is_held(scratch.path())) usleep(1000);
  EXPECT_NO_THROW(RunLock(scratch.path(), "the next", 10));
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace trireme::io
