#include "core/process.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace trireme {
namespace {

TEST(Process, HandsOverMegabytesBothWays) {
  const std::string input(3 << 20, 'x');
  const ProcessResult result = run_process({"cat"}, input);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, input);
}

TEST(Process, TellsStatusSignalAndErrors) {
  const ProcessResult failed = run_process({"sh", "-c", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(failed.status, 7);
  EXPECT_EQ(failed.output, "out\n");
  EXPECT_EQ(failed.errors, "err\n");
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}).status, 137);
}

TEST(Process, AChildThatReadsNothingDoesNotEndUs) {
  EXPECT_EQ(run_process({"true"}, std::string(1 << 20, 'x')).status, 0);
}

TEST(Process, NamesTheProgramThatIsMissing) {
  try {
    run_process({"no-such-program"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_NE(std::string(error.what()).find("no-such-program"), std::string::npos);
  }
}

}  // namespace
}  // namespace trireme
