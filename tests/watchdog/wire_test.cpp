#include <fstream>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "comm/watchdog/link.h"
#include "comm/watchdog/snapshot.h"
#include "comm/watchdog/status_file.h"
#include "comm/watchdog/verdict.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

Verdict example() {
  Verdict verdict;
  verdict.reason = Reason::mismatch;
  verdict.code = ExitCode::internal;
  verdict.rank = 3;
  verdict.node = "n1";
  verdict.operation = "all_reduce (sum) of 64 f32";
  verdict.communicator = "world";
  verdict.sequence = 1ull << 40;
  verdict.missing = {3, 4};
  verdict.message = "rank 3 said \"no\"";
  return verdict;
}

TEST(Verdict, SurvivesPackingAndRefusesLessThanAll) {
  const std::string packed = example().pack();
  EXPECT_EQ(Verdict::unpack(packed), example());
  for (std::size_t length = 0; length < packed.size(); ++length)
    EXPECT_THROW(Verdict::unpack(std::string_view(packed).substr(0, length)), Error) << length;
}

TEST(Verdict, FitsTheBoardHoweverLongItIs) {
  Verdict verdict = example();
  verdict.missing.assign(100000, 7);
  verdict.message.assign(100000, 'x');
  verdict.operation.assign(100000, 'y');
  EXPECT_LE(verdict.pack().size(), VerdictEntry::capacity);
  EXPECT_EQ(Verdict::unpack(verdict.pack()).rank, 3);
}

TEST(RankSnapshot, SurvivesPacking) {
  RankSnapshot snapshot;
  snapshot.rank = 5;
  snapshot.presence = Presence::failed;
  snapshot.beat = 99;
  assign(snapshot.failure.message, "no");
  snapshot.calls.resize(3);
  snapshot.calls[2].begun = 12;
  Packer packer;
  snapshot.pack(packer);
  const std::string bytes = packer.take();
  Unpacker unpacker(bytes);
  const RankSnapshot copy = RankSnapshot::unpack(unpacker);
  EXPECT_TRUE(unpacker.done());
  EXPECT_EQ(copy.calls[2].begun, 12u);
  EXPECT_EQ(view_of(copy.failure.message), "no");
}

TEST(StatusFile, IsReadBackForItsOwnLaunchAlone) {
  const auto file = std::filesystem::path(testing::TempDir()) / "watchdog_status.json";
  write_status(file, {example(), "a1"});
  const auto read = read_failure(file, "a1");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->verdict, example());
  EXPECT_FALSE(read_failure(file, "b2"));
  std::ofstream(file) << "{\"state\": \"running\"}";
  EXPECT_FALSE(read_failure(file, "a1"));
  std::ofstream(file) << "{\"state\": \"fai";
  EXPECT_FALSE(read_failure(file, "a1"));
  std::filesystem::remove(file);
  EXPECT_FALSE(read_failure(file, "a1"));
}

TEST(Link, CarriesFramesInPiecesAndSaysWhenTheOtherSideIsGone) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  Link here{Descriptor(ends[0])}, there{Descriptor(ends[1])};
  const std::string large(1 << 20, 'z');
  here.send(Frame::Type::beat);
  here.send(Frame::Type::board, large);
  std::vector<Frame> frames;
  for (int turn = 0; turn < 1000 && frames.size() < 2; ++turn) {
    there.pump();
    while (auto frame = there.next()) frames.push_back(std::move(*frame));
    here.flush();
  }
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[1].body, large);
  here.send(Frame::Type::goodbye);
  here.close();
  there.pump();
  EXPECT_FALSE(there.open());
  ASSERT_TRUE(there.next());
  EXPECT_FALSE(there.next());
}

TEST(Link, RefusesAFrameOfAbsurdLength) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  const Descriptor raw(ends[0]);
  Link link{Descriptor(ends[1])};
  ASSERT_EQ(write(raw.get(), "\xff\xff\xff\xff\x01", 5), 5);
  link.pump();
  EXPECT_FALSE(link.next());
  EXPECT_FALSE(link.open());
}

}  // namespace
}  // namespace trireme::comm
