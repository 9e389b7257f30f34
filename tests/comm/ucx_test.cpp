#include <cstring>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>

#include "comm/ucx/ucx_links.h"
#include "core/error.h"
#include "tests/mpi_main.h"

namespace trireme::comm {
namespace {

using testing::HasSubstr;

/// Each transport mix that a host without special network cards has.
class Ucx : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!UcxLinks::built_in()) GTEST_SKIP() << "built without UCX";
  }
  std::unique_ptr<UcxLinks> connect(std::size_t window_bytes = 0) {
    UcxOptions options;
    options.transports = GetParam();
    options.window_bytes = window_bytes;
    options.time_limit = std::chrono::seconds(20);
    return UcxLinks::connect(tests::mpi_runtime(), options);
  }
};

std::vector<std::uint32_t> pattern(std::size_t words, int from, int to) {
  std::vector<std::uint32_t> values(words);
  std::iota(values.begin(), values.end(), static_cast<std::uint32_t>(from * 1000003 + to * 7919));
  return values;
}

constexpr std::size_t message_words[] = {1, 300, 5000, std::size_t{1} << 20};

TEST_P(Ucx, TaggedMessagesReachTheirReceiver) {
  const auto links = connect();
  const int rank = links->rank();
  for (const std::size_t words : message_words)
    for (int from = 0; from < links->size(); ++from)
      for (int to = 0; to < links->size(); ++to) {
        if (from == to) continue;
        if (rank == from) links->tag_send(to, pattern(words, from, to).data(), words * 4, 5);
        if (rank != to) continue;
        std::vector<std::uint32_t> received(words, 0);
        links->tag_receive(from, received.data(), words * 4, 5);
        ASSERT_EQ(received, pattern(words, from, to)) << words;
      }
}

TEST_P(Ucx, BothDirectionsAtOnce) {
  const auto links = connect();
  const int size = links->size(), rank = links->rank();
  for (const std::size_t words : message_words)
    for (int step = 0; step < size; ++step) {
      const int peer = (step - rank + size) % size;
      const auto sent = pattern(words, rank, peer);
      std::vector<std::uint32_t> received(words, 0);
      links->tag_exchange(peer, sent.data(), received.data(), words * 4, 9);
      ASSERT_EQ(received, pattern(words, peer, rank)) << words;
    }
}

TEST_P(Ucx, TagsKeepMessagesApart) {
  const auto links = connect();
  const int next = (links->rank() + 1) % links->size(),
            before = (links->rank() + links->size() - 1) % links->size();
  const int first = 11, second = 22;
  links->tag_send(next, &first, sizeof first, 1);
  links->tag_send(next, &second, sizeof second, 2);
  int got = 0;
  links->tag_receive(before, &got, sizeof got, 2);
  EXPECT_EQ(got, second);
  links->tag_receive(before, &got, sizeof got, 1);
  EXPECT_EQ(got, first);
}

TEST_P(Ucx, MessageOfAnotherLengthIsRefused) {
  const auto links = connect();
  const int next = (links->rank() + 1) % links->size(),
            before = (links->rank() + links->size() - 1) % links->size();
  const std::uint64_t value = 3;
  links->tag_send(next, &value, sizeof value);
  std::vector<std::uint64_t> room(2);
  EXPECT_THROW(links->tag_receive(before, room.data(), 16), Error);
  links->barrier();
}

TEST_P(Ucx, PutsAndGetsReachEveryWindow) {
  constexpr std::size_t words = 70001, bytes = words * 4;
  const int size = tests::mpi_runtime().size();
  const auto links = connect(bytes * static_cast<std::size_t>(size) * 2);
  const int rank = links->rank();
  Buffer near = links->allocate(bytes);
  for (int peer = 0; peer < size; ++peer) {
    std::memcpy(near.data(), pattern(words, rank, peer).data(), bytes);
    links->put(peer, near.data(), bytes, bytes * static_cast<std::size_t>(rank));
    links->flush(peer);
  }
  links->barrier();
  const auto* window = static_cast<const std::uint32_t*>(links->window());
  for (int from = 0; from < size; ++from) {
    const auto* slot = window + words * static_cast<std::size_t>(from);
    ASSERT_EQ(std::vector<std::uint32_t>(slot, slot + words), pattern(words, from, rank));
  }
  links->barrier();
  for (int peer = 0; peer < size; ++peer) {
    const std::size_t slot = static_cast<std::size_t>((rank + 1) % size);
    links->get(peer, near.data(), bytes, bytes * slot);
    links->flush(peer);
    ASSERT_EQ(std::vector<std::uint32_t>(near.as<std::uint32_t>(), near.as<std::uint32_t>() + words),
              pattern(words, static_cast<int>(slot), peer));
  }
  links->barrier();
}

TEST_P(Ucx, ManyPutsGoOutBeforeOneFlush) {
  constexpr std::size_t count = 200, bytes = 4096;
  const auto links = connect(count * bytes);
  const int next = (links->rank() + 1) % links->size(),
            before = (links->rank() + links->size() - 1) % links->size();
  Buffer near = links->allocate(count * bytes);
  for (std::size_t i = 0; i < count; ++i) {
    std::memset(near.as<char>() + i * bytes, static_cast<int>(i + static_cast<std::size_t>(links->rank())),
                bytes);
    links->put(next, near.as<char>() + i * bytes, bytes, i * bytes);
  }
  links->flush(next);
  links->barrier();
  for (std::size_t i = 0; i < count * bytes; ++i)
    ASSERT_EQ(static_cast<const char*>(links->window())[i],
              static_cast<char>(i / bytes + static_cast<std::size_t>(before)));
}

TEST_P(Ucx, TransfersOutsideAWindowAreRefused) {
  const auto links = connect(64);
  char byte = 0;
  EXPECT_THROW(links->put(0, &byte, 1, 64), Error);
  EXPECT_THROW(links->get(0, &byte, 65, 0), Error);
  EXPECT_THROW(links->put(links->size(), &byte, 1, 0), Error);
  EXPECT_EQ(links->window_bytes(0), 64u);
}

TEST_P(Ucx, DescribesItsTransports) {
  const auto links = connect();
  EXPECT_THAT(links->describe((links->rank() + 1) % links->size()), HasSubstr("lane"));
  EXPECT_FALSE(UcxLinks::library_version().empty());
}

TEST_P(Ucx, ASilentPeerRunsIntoTheTimeLimit) {
  if (tests::mpi_runtime().size() == 1) GTEST_SKIP() << "needs a peer";
  UcxOptions options;
  options.transports = GetParam();
  options.time_limit = std::chrono::milliseconds(200);
  std::unique_ptr<UcxLinks> links = UcxLinks::connect(tests::mpi_runtime(), options);
  char byte = 0;
  const auto start = std::chrono::steady_clock::now();
  try {
    links->tag_receive((links->rank() + 1) % links->size(), &byte, 1);
    ADD_FAILURE() << "nobody sent";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::hang);
    EXPECT_THAT(error.what(), HasSubstr("a tagged receive with rank"));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  MPI_Barrier(MPI_COMM_WORLD);
}

TEST(UcxErrors, UnknownTransportsAreNamed) {
  if (!UcxLinks::built_in()) GTEST_SKIP() << "built without UCX";
  UcxOptions options;
  options.transports = "carrier_pigeon";
  try {
    UcxLinks::connect(tests::mpi_runtime(), options);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("carrier_pigeon"));
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, Ucx, testing::Values("tcp,self", "sm,self", "all"), [](const auto& mix) {
  return std::string(mix.param).substr(0, std::string(mix.param).find(','));
});

}  // namespace
}  // namespace trireme::comm
