#include "offload/nvme/spill_file.h"

#include <csignal>
#include <numeric>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/error.h"
#include "offload/nvme/volume.h"
#include "tests/offload/scratch.h"

namespace trireme::offload {
namespace {

using testing::HasSubstr;
using tests::Scratch;

TEST(SpillFile, IsPrivateHasItsSpaceAndGoes) {
  const Scratch scratch;
  {
    const SpillFile file(scratch.path(), 3 << 20);
    struct stat status {};
    ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_EQ(status.st_size, 3 << 20);
    EXPECT_GE(status.st_blocks * 512, 3 << 20);
    EXPECT_EQ(scratch.files(), 1);
  }
  EXPECT_EQ(scratch.files(), 0);
}

TEST(SpillFile, MakesTheFolderAndRefusesOneThatCannotBe) {
  const Scratch scratch;
  { const SpillFile file(scratch.path() / "a" / "b", 4096); }
  EXPECT_TRUE(std::filesystem::exists(scratch.path() / "a" / "b"));
  scratch.write("plain", "text");
  EXPECT_THROW(SpillFile(scratch.path() / "plain", 4096), Error);
  EXPECT_THROW(SpillFile(scratch.path() / "plain" / "below", 4096), Error);
}

TEST(SpillFile, RefusesMoreThanIsFreeBeforeItTakesAny) {
  const Scratch scratch;
  try {
    const SpillFile file(scratch.path(), std::uint64_t{1} << 55);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_THAT(error.what(),
                HasSubstr("are free; free some space or name another folder in offload.nvme_paths"));
  }
  EXPECT_EQ(scratch.files(), 0);
}

/// Runs `body` in a child that is then killed, as a run that gets SIGKILL.
template <typename Body>
void in_killed_child(const Body& body) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    body();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST(SpillFile, WhatAKilledRunLeavesIsRecognisedAndRemoved) {
  const Scratch scratch;
  in_killed_child([&] {
    new SpillFile(scratch.path(), 1 << 20);
    new SpillFile(scratch.path(), 4096);
  });
  EXPECT_EQ(scratch.files(), 2);
  const SpillFile alive(scratch.path(), 8192);
  scratch.write("trireme-spill.of-another-host.77.0011", "not ours");
  scratch.write("notes", "nor this");
  const Swept swept = remove_stale_spills(scratch.path());
  EXPECT_EQ(swept.files, 2);
  EXPECT_EQ(swept.bytes, (1u << 20) + 4096);
  EXPECT_EQ(scratch.files(), 3);
  EXPECT_TRUE(std::filesystem::exists(alive.path()));
  EXPECT_EQ(remove_stale_spills(scratch.path()).files, 0);
  EXPECT_EQ(remove_stale_spills(scratch.path() / "missing").files, 0);
}

TEST(SpillFile, AVolumeSweepsBeforeItTakesSpace) {
  const Scratch scratch;
  in_killed_child([&] { new SpillFile(scratch.path(), 4096); });
  const Volume volume({scratch.path()}, 10000);
  EXPECT_EQ(scratch.files(), 1);
}

TEST(SpillFile, AForkedChildThatEndsLeavesItAlone) {
  const Scratch scratch;
  const SpillFile file(scratch.path(), 4096);
  const pid_t child = ::fork();
  if (child == 0) {
    file.~SpillFile();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(scratch.files(), 1);
}

TEST(Striping, DealsEveryByteOnce) {
  for (const int files : {1, 2, 3, 5}) {
    const Striping striping{files, 8192};
    constexpr std::uint64_t bytes = 100 * 1000;
    std::vector<std::vector<char>> seen;
    for (int i = 0; i < files; ++i) {
      EXPECT_LE(striping.file_bytes(i, bytes), bytes / static_cast<unsigned>(files) + 2 * 8192);
      seen.emplace_back(striping.file_bytes(i, bytes), 0);
    }
    for (std::uint64_t at = 0; at < bytes; at += 7777) {
      const std::uint64_t wanted = std::min<std::uint64_t>(7777, bytes - at);
      std::uint64_t found = 0;
      for (const Extent& extent : striping.extents(at, wanted)) {
        found += extent.bytes;
        for (std::uint64_t i = 0; i < extent.bytes; ++i) {
          char& once = seen[static_cast<std::size_t>(extent.file)].at(extent.offset + i);
          ASSERT_EQ(once, 0);
          once = 1;
        }
      }
      ASSERT_EQ(found, wanted);
    }
  }
}

TEST(Volume, MapsItsStripesAsOneRange) {
  const Scratch scratch;
  const Volume volume({scratch.make("a"), scratch.make("b"), scratch.make("c")}, 100000, {.stripe = 8192});
  Buffer mapped = volume.map();
  ASSERT_EQ(mapped.bytes(), 100000u);
  auto* bytes = mapped.as<unsigned char>();
  for (std::size_t i = 0; i < mapped.bytes(); ++i) bytes[i] = static_cast<unsigned char>(i * 7 + i / 4096);
  const Buffer again = volume.map();
  EXPECT_TRUE(std::equal(bytes, bytes + mapped.bytes(), again.as<unsigned char>()));
  EXPECT_EQ(scratch.files(), 3);
}

TEST(Volume, NeedsAFolder) {
  EXPECT_THROW(Volume({}, 4096), Error);
}

}  // namespace
}  // namespace trireme::offload
