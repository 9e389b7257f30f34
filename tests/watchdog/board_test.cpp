#include "comm/watchdog/board.h"

#include <thread>

#include <gtest/gtest.h>

#include "comm/watchdog/awake_clock.h"
#include "comm/watchdog/board_observer.h"
#include "comm/watchdog/sightings.h"
#include "comm/watchdog/snapshot.h"

namespace trireme::comm {
namespace {

using namespace std::chrono_literals;

class Idle final : public Communicator {
 public:
  Idle(Group group, int rank, CommunicatorOptions options)
      : Communicator(std::move(group), rank, std::move(options)) {}
  std::string_view backend() const override { return "idle"; }
  Buffer allocate(std::size_t) override { return {}; }

 protected:
  void execute(const Call& call) override {
    if (call.count == 13) throw std::runtime_error("unlucky");
  }
};

struct Fixture {
  Board board = Board::in_process(1);
  std::vector<std::string> complaints;
  std::shared_ptr<BoardObserver> observer = std::make_shared<BoardObserver>(
      board, 0, [this](std::string_view line) { complaints.emplace_back(line); });
  std::unique_ptr<Idle> open(const std::string& name, Group group = {{0, 2, 4}}) {
    CommunicatorOptions options;
    options.name = name;
    options.observer = observer;
    return std::make_unique<Idle>(std::move(group), 0, options);
  }
  RankSnapshot read() {
    RankSnapshot snapshot;
    refresh_life(snapshot, board.rank(0));
    refresh_work(snapshot, board.rank(0));
    return snapshot;
  }
};

TEST(Seqlock, NeverShowsHalfAWrite) {
  struct Value {
    std::uint64_t words[12];
  };
  Seqlock<Value> lock;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; !stop; ++i) {
      Value value;
      for (auto& word : value.words) word = i;
      lock.store(value);
    }
  });
  for (int i = 0; i < 100000; ++i) {
    const auto value = lock.load();
    if (!value) continue;
    for (const auto word : value->words) ASSERT_EQ(word, value->words[0]);
  }
  stop = true;
  writer.join();
}

TEST(BoardObserver, ShowsCallsOfEachCommunicator) {
  Fixture fixture;
  const auto world = fixture.open("world");
  const auto pair = fixture.open("pair", {{0, 1, 5}});
  std::vector<float> data(64);
  for (int i = 0; i < 3; ++i)
    world->all_reduce(data.data(), data.data(), data.size(), DType::f32, Reduction::sum);
  world->send(data.data(), 4, DType::f32, 2);
  EXPECT_THROW(pair->all_reduce(data.data(), data.data(), 13, DType::f32, Reduction::sum),
               std::runtime_error);

  const auto calls = fixture.read().calls;
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(view_of(calls[0].name), "world");
  EXPECT_EQ(calls[0].begun, 3u);
  EXPECT_EQ(calls[0].sequence, 3u) << "sends count in the communicator's own number alone";
  EXPECT_EQ(calls[0].peer, 4) << "the world's number of the receiver";
  EXPECT_EQ(calls[0].active, 0);
  EXPECT_EQ(calls[0].stride, 2);
  EXPECT_EQ(Signature(calls[0].recent[2]).describe(), "all_reduce (sum) of 64 f32");
  EXPECT_EQ(calls[1].active, 1) << "a call that threw has not ended";
  EXPECT_EQ(calls[1].stride, 0) << "0, 1, 5 are not evenly spaced";
}

TEST(BoardObserver, TellsCommunicatorsOfOneNameApartByOrder) {
  Fixture here, there;
  const auto identities = [](Fixture& fixture) {
    auto first = fixture.open("world"), second = fixture.open("world");
    const auto calls = fixture.read().calls;
    return std::pair(calls[0].communicator, calls[1].communicator);
  };
  const auto mine = identities(here);
  EXPECT_NE(mine.first, mine.second);
  EXPECT_EQ(mine, identities(there));
  EXPECT_TRUE(here.read().calls.empty()) << "closed communicators leave the board";
  EXPECT_NE(identities(here).first, mine.first) << "a later one of that name is another";
}

TEST(BoardObserver, KeepsWhatACommunicatorDidWhenAnErrorEndsIt) {
  Fixture fixture;
  std::vector<float> data(64);
  try {
    const auto world = fixture.open("world");
    world->all_reduce(data.data(), data.data(), 13, DType::f32, Reduction::sum);
  } catch (const std::runtime_error&) {
  }
  ASSERT_EQ(fixture.read().calls.size(), 1u);
  EXPECT_EQ(Signature(fixture.read().calls[0].signature).describe(), "all_reduce (sum) of 13 f32");
}

TEST(BoardObserver, ComplainsWhenTheBoardIsFull) {
  Fixture fixture;
  std::vector<std::unique_ptr<Idle>> many;
  for (int i = 0; i <= RankEntry::communicators; ++i) many.push_back(fixture.open(fmt::format("c{}", i)));
  EXPECT_EQ(fixture.complaints.size(), 1u);
  many.back()->barrier();
  many.clear();
  EXPECT_TRUE(fixture.read().calls.empty());
}

TEST(Sightings, MeasureAgesFromTheChangeThatWasSeen) {
  Sightings sightings({0, 0}, {"n0"});
  RankSnapshot snapshot;
  snapshot.rank = 1;
  snapshot.presence = Presence::running;
  CallState call;
  call.communicator = 7, call.begun = 3, call.active = 1;
  snapshot.calls = {call};
  sightings.see(snapshot, 100ms);
  sightings.see(snapshot, 400ms);
  EXPECT_EQ(sightings.views(500ms)[1].calls[0].age, 400ms);
  EXPECT_EQ(sightings.views(500ms)[1].beat_age, 400ms);
  snapshot.beat = 1;
  snapshot.calls[0].begun = 4;
  sightings.see(snapshot, 600ms);
  EXPECT_EQ(sightings.views(700ms)[1].calls[0].age, 100ms);
  EXPECT_EQ(sightings.views(700ms)[1].beat_age, 100ms);
  EXPECT_EQ(sightings.views(700ms)[0].presence, Presence::absent);
  sightings.lose(0, 800ms);
  EXPECT_EQ(sightings.views(900ms)[1].presence, Presence::lost);
}

TEST(AwakeClock, CountsALongGapAsASecond) {
  AwakeClock clock;
  const auto start = AwakeClock::Clock::now();
  const auto first = clock.advance(start + 100ms);
  const auto second = clock.advance(start + 3600s);
  EXPECT_EQ(second - first, 1000ms);
}

TEST(VerdictEntry, KeepsTheFirst) {
  const Board board = Board::in_process(1);
  EXPECT_TRUE(board.verdict().read().empty());
  EXPECT_TRUE(board.verdict().propose("one"));
  EXPECT_FALSE(board.verdict().propose("two"));
  EXPECT_EQ(board.verdict().read(), "one");
}

}  // namespace
}  // namespace trireme::comm
