#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int code = -1;
  std::string text;
};

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return outcome;
  std::array<char, 4096> piece{};
  while (const std::size_t got = fread(piece.data(), 1, piece.size(), pipe))
    outcome.text.append(piece.data(), got);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  return outcome;
}

const std::string any_driver = " libc.so.6";
/// The test plugins bring hooks of their own.
const std::string alone = any_driver + " libnone.so";

Outcome probe(const std::string& plugin, const std::string& arguments) {
  return run("TRIREME_CUDA_PLUGIN='" + plugin + "' " TRIREME_PROBE " " + arguments);
}
std::string test_plugin(const std::string& name) {
  return TRIREME_TEST_PLUGINS "/libtest_plugin_" + name + ".so";
}

TEST(Plugin, OpensOnceAndItsHooksAreSeen) {
  const Outcome outcome = probe(test_plugin("good"), "first" + alone);
  EXPECT_THAT(outcome.text, HasSubstr("devices 3 same true last 0000:02:00.0"));
  EXPECT_THAT(outcome.text, HasSubstr("hooks real"));
  EXPECT_THAT(outcome.text, HasSubstr("test device 1 does not open")) << "errors of the plugin are ours";
  EXPECT_EQ(outcome.code, 78);
}

TEST(Plugin, AfterLibTorchHasAskedItsHooksAreNeverSeen) {
  const Outcome outcome = probe(test_plugin("good"), "after-tensors" + alone);
  EXPECT_THAT(outcome.text, AllOf(HasSubstr("devices 3"), HasSubstr("hooks stub")));
}

TEST(Plugin, SoItIsNotOpenedOnceTensorsAreUsed) {
  const Outcome outcome = probe(test_plugin("good"), "after-mark" + alone);
  EXPECT_THAT(outcome.text, HasSubstr("must be opened before the first tensor operation"));
  EXPECT_THAT(outcome.text, Not(HasSubstr("devices")));
  EXPECT_EQ(outcome.code, 70);
}

TEST(Plugin, WithoutADriverOneSentence) {
  const Outcome outcome = probe(test_plugin("good"), "first libno_such_driver.so.1");
  EXPECT_THAT(outcome.text, HasSubstr("this machine has no GPU driver (libno_such_driver.so.1"));
  EXPECT_EQ(outcome.code, 78);
}

TEST(Plugin, WithoutThePluginOneSentence) {
  const Outcome outcome = probe("/no/such/libtrireme_cuda.so", "first" + alone);
  EXPECT_THAT(outcome.text, HasSubstr("is not there (looked for /no/such/libtrireme_cuda.so)"));
  EXPECT_EQ(outcome.code, 78);
}

TEST(Plugin, WhatIsNotOurPluginIsRefused) {
  const std::pair<const char*, const char*> refusals[] = {
      {"old", "speaks version 4000 of the device interface and this program version "},
      {"bare", "is not a trireme plugin"},
      {"torn", "nowhere_to_be_found"},
      {"refusing", "the driver shows no GPU"},
  };
  for (const auto& [name, words] : refusals) {
    const Outcome outcome = probe(test_plugin(name), "first" + alone);
    EXPECT_THAT(outcome.text, HasSubstr(words));
    EXPECT_THAT(outcome.text, HasSubstr("hooks stub"));
    EXPECT_EQ(outcome.code, 78) << name;
  }
}

TEST(Plugin, TheProgramItselfNeedsNoGpuLibrary) {
  const Outcome outcome = run("readelf -dW " TRIREME_PROGRAM);
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("libc.so.6"));
  for (const char* foreign : {"cuda", "nccl", "cufile", "cudnn", "cublas"})
    EXPECT_THAT(outcome.text, Not(HasSubstr(std::string("[lib") + foreign)));
  EXPECT_THAT(run("nm -D --undefined-only " TRIREME_PROGRAM).text,
              AllOf(Not(HasSubstr(" nccl")), Not(HasSubstr(" cuda")), Not(HasSubstr(" cu"))));
}

#ifdef TRIREME_REAL_PLUGIN

TEST(RealPlugin, ShowsItsEntryAndNothingElse) {
  const Outcome outcome = run("nm -D --defined-only " TRIREME_REAL_PLUGIN);
  EXPECT_THAT(outcome.text, testing::MatchesRegex("[0-9a-f]+ T trireme_device_plugin\n"));
}

TEST(RealPlugin, BringsLibTorchsGpuLibraryAndLeavesTheDriverToRunTime) {
  const std::string needed = run("readelf -dW " TRIREME_REAL_PLUGIN).text;
  EXPECT_THAT(needed, AllOf(HasSubstr("[libtorch_cuda.so]"), HasSubstr("[libnccl.so.2]"),
                            Not(HasSubstr("[libcuda.so"))));
}

/// With LibTorch's own hooks where its GPU library can be loaded, which takes all of its wheels but no GPU.
TEST(RealPlugin, LibTorchsHooksDependOnTheOrder) {
  const Outcome early = probe(TRIREME_REAL_PLUGIN, "first" + any_driver);
  if (early.text.find("cannot be loaded") != std::string::npos)
    GTEST_SKIP() << "LibTorch's GPU library does not load here: " << early.text;
  EXPECT_THAT(early.text, HasSubstr("hooks real"));
  EXPECT_TRUE(early.code == 0 || early.code == 78) << early.text;
  const Outcome late = probe(TRIREME_REAL_PLUGIN, "after-tensors" + any_driver);
  EXPECT_THAT(late.text, HasSubstr("hooks stub"));
  EXPECT_THAT(probe(TRIREME_REAL_PLUGIN, "after-mark" + any_driver).text,
              HasSubstr("must be opened before the first tensor operation"));
}

#endif

}  // namespace
