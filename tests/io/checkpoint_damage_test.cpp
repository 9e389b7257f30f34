#include <array>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/checkpoint/latest.h"
#include "io/file.h"
#include "tests/io/checkpoint_fixture.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::read_file;
using trireme::testing::save;
using trireme::testing::Scratch;
using trireme::testing::write_file;

template <typename Work>
ExitCode code_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::done;
}

class DamagedCheckpoint : public ::testing::Test {
 protected:
  DamagedCheckpoint() {
    save(scratch.path(), "step-00000001", 2, 1);
    save(scratch.path(), "step-00000002", 2, 2);
  }
  fs::path file(const std::string& name) const { return scratch / "step-00000002" / name; }
  /// The newest is refused with these words and the one before it is used.
  void expect_refused(const std::string& words) {
    const Found found = newest_checkpoint(scratch.path());
    ASSERT_TRUE(found.checkpoint);
    EXPECT_EQ(found.checkpoint->folder().filename(), "step-00000001");
    EXPECT_THAT(found.refused, ElementsAre(HasSubstr(words)));
    EXPECT_THAT(found.refused[0], HasSubstr("step-00000002"));
  }
  Scratch scratch;
};

TEST_F(DamagedCheckpoint, WholeOnesAreUsed) {
  const Found found = newest_checkpoint(scratch.path());
  ASSERT_TRUE(found.checkpoint);
  EXPECT_EQ(found.checkpoint->folder().filename(), "step-00000002");
  EXPECT_TRUE(found.refused.empty());
}

/// Flips one bit of a file in place, and back when it goes.
class FlippedBit {
 public:
  FlippedBit(const fs::path& path, std::uint64_t bit) : file_(File::open_for_writing(path)), bit_(bit) {
    flip();
  }
  ~FlippedBit() { flip(); }

 private:
  void flip() {
    std::array<std::byte, 1> byte{};
    file_.read(bit_ / 8, byte);
    byte[0] ^= static_cast<std::byte>(1u << bit_ % 8);
    file_.write(bit_ / 8, byte);
  }
  File file_;
  std::uint64_t bit_;
};

TEST_F(DamagedCheckpoint, AnyFlippedBitInAnyFileIsFound) {
  std::mt19937_64 random(5);
  int flipped = 0;
  for (const auto& entry : fs::directory_iterator(scratch / "step-00000002")) {
    const std::uint64_t bits = entry.file_size() * 8;
    std::vector<std::uint64_t> chosen{0, bits - 1};
    const bool all = bits < 300;
    for (std::uint64_t i = 0; i < (all ? bits : 220); ++i) chosen.push_back(all ? i : random() % bits);
    for (const std::uint64_t bit : chosen) {
      const FlippedBit damage(entry.path(), bit);
      EXPECT_EQ(code_of([&] { Checkpoint(scratch / "step-00000002").verify(); }), ExitCode::damaged)
          << entry.path().filename() << " bit " << bit;
      ++flipped;
    }
  }
  EXPECT_GT(flipped, 1000);
  EXPECT_NO_THROW(Checkpoint(scratch / "step-00000002").verify());
}

/// One bit can make it another checkpoint's name, which a save that was cut off leaves too: both are told.
TEST_F(DamagedCheckpoint, AnyFlippedBitInLatestIsFound) {
  ASSERT_EQ(read_latest(scratch.path()).state, Latest::State::names_the_newest);
  const fs::path latest = scratch / latest_file;
  for (std::uint64_t bit = 0; bit < fs::file_size(latest) * 8; ++bit) {
    const FlippedBit damage(latest, bit);
    const Latest found = read_latest(scratch.path());
    EXPECT_TRUE(found.is_damaged()) << "bit " << bit;
    EXPECT_FALSE(found.words.empty());
  }
  save(scratch.path(), "step-00000003", 2, 3);
  write_file(latest, "step-00000002\n");
  EXPECT_EQ(read_latest(scratch.path()).state, Latest::State::names_an_older_one);
  EXPECT_THAT(read_latest(scratch.path()).words, HasSubstr("step-00000002 and not step-00000003"));
  fs::remove(latest);
  EXPECT_EQ(read_latest(scratch.path()).state, Latest::State::absent);
}

TEST_F(DamagedCheckpoint, AFlippedBitInATensorIsNamed) {
  const Checkpoint before(scratch / "step-00000002");
  std::string bytes = read_file(file("shard-00001.h5"));
  bytes[bytes.size() - 9000] ^= 4;
  write_file(file("shard-00001.h5"), bytes);
  expect_refused("shard-00001.h5: tensor model/large is damaged between bytes");
  std::vector<std::byte> out(4);
  EXPECT_THAT(message_of(ExitCode::damaged,
                         [&] { Checkpoint(scratch / "step-00000002").read("model/large", 3000000, out); }),
              HasSubstr("tensor model/large is damaged"));
}

TEST_F(DamagedCheckpoint, Truncated) {
  fs::resize_file(file("shard-00000.h5"), 100);
  expect_refused("shard-00000.h5: is 100 bytes long, the manifest says");
}

TEST_F(DamagedCheckpoint, Missing) {
  fs::remove(file("shard-00001.h5"));
  expect_refused("the file shard-00001.h5 is missing");
}

TEST_F(DamagedCheckpoint, NotAFileOrNotToBeOpened) {
  fs::remove(file("shard-00001.h5"));
  fs::create_directory(file("shard-00001.h5"));
  expect_refused("shard-00001.h5: is not a regular file");
  fs::remove(file("shard-00001.h5"));
  fs::create_symlink("shard-00001.h5", file("shard-00001.h5"));
  expect_refused("shard-00001.h5 cannot be opened");
}

TEST_F(DamagedCheckpoint, TooFewDescriptorsAreNoDamage) {
  // HDF5 shows fill values here, with return code 0; this reader has one source open at a time, and says so
  // when it cannot open even that.
  const Checkpoint checkpoint(scratch / "step-00000002");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next_free = dup(0);
  close(next_free);
  std::vector<std::byte> out(12000000);
  const auto with_free = [&](int count) {
    const rlimit few{static_cast<rlim_t>(next_free + count), before.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &few);
  };
  ASSERT_EQ(with_free(2), 0);
  EXPECT_NO_THROW(checkpoint.verify());
  ASSERT_EQ(with_free(0), 0);
  const std::string message = message_of(ExitCode::requeue, [&] { newest_checkpoint(scratch.path()); });
  const std::string reading = message_of(
      ExitCode::requeue, [&] { checkpoint.read("model/norm.weight", 0, std::span(out).first(10)); });
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_THAT(message, HasSubstr("raise the limit (ulimit -n)"));
  EXPECT_THAT(reading, HasSubstr("raise the limit (ulimit -n)"));
}

TEST_F(DamagedCheckpoint, ManifestGone) {
  fs::remove(file("manifest.json"));
  expect_refused("manifest.json is missing");
}

TEST_F(DamagedCheckpoint, ShardsSwapped) {
  // Equal lengths, so only the digests tell.
  save(scratch.path(), "step-00000002", 1, 2);
  save(scratch.path(), "step-00000003", 1, 3);
  fs::rename(scratch / "step-00000003" / "shard-00000.h5", file("shard-00000.h5"));
  fs::remove_all(scratch / "step-00000003");
  expect_refused("is damaged between bytes");
}

TEST_F(DamagedCheckpoint, Zeroed) {
  write_file(file("shard-00000.h5"), std::string(fs::file_size(file("shard-00000.h5")), '\0'));
  expect_refused("is damaged between bytes");
}

TEST_F(DamagedCheckpoint, NoneLeft) {
  for (const char* name : {"step-00000001", "step-00000002"})
    fs::remove(scratch / name / "manifest.json.xxh3");
  const Found found = newest_checkpoint(scratch.path());
  EXPECT_FALSE(found.checkpoint);
  EXPECT_EQ(found.refused.size(), 2u);
}

}  // namespace
}  // namespace trireme::io
