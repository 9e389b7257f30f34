#include "comm/watchdog/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/watchdog/signature.h"

namespace trireme::comm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

const Limits limits{.call = 3000ms};
const Signature reduce = Signature::of(Call::all_reduce(nullptr, nullptr, 64, DType::f32, Reduction::sum));
const Signature gather = Signature::of(Call::all_gather(nullptr, nullptr, Shards::even(8, 4), DType::bf16));
const Signature barrier = Signature::of(Call::barrier());

/// Ranks of evenly filled nodes that beat and have made `begun` all_reduces on 'world'.
class Views {
 public:
  Views(int ranks, int per_node, std::uint64_t begun = 17) : views_(static_cast<std::size_t>(ranks)) {
    for (int rank = 0; rank < ranks; ++rank) {
      RankView& view = (*this)[rank];
      view.rank = rank;
      view.node = rank / per_node;
      view.host = fmt::format("n{}", view.node);
      view.presence = Presence::running;
      view.presence_age = 100s;
      join(rank, 1, "world", 0, 1, ranks);
      for (std::uint64_t number = 0; number < begun; ++number) begin(rank, 1, reduce, 0ms);
      call(rank, 1).state.active = 0;
    }
  }
  RankView& operator[](int rank) { return views_[static_cast<std::size_t>(rank)]; }
  void join(int rank, std::uint64_t communicator, const char* name, int first, int stride, int size) {
    CallView view;
    view.state.communicator = communicator;
    view.state.first = first, view.state.stride = stride, view.state.size = size;
    assign(view.state.name, name);
    (*this)[rank].calls.push_back(view);
  }
  CallView& call(int rank, std::uint64_t communicator) {
    for (CallView& view : (*this)[rank].calls)
      if (view.state.communicator == communicator) return view;
    throw std::logic_error("no such communicator");
  }
  void begin(int rank, std::uint64_t communicator, Signature signature, Milliseconds age) {
    CallView& view = call(rank, communicator);
    view.state.sequence = view.state.begun;
    view.state.recent[view.state.begun++ % CallState::remembered] = signature.word();
    view.state.signature = signature.word();
    view.state.active = 1;
    view.age = age;
  }
  void send_or_receive(int rank, std::uint64_t communicator, const Call& made, int peer, Milliseconds age) {
    CallView& view = call(rank, communicator);
    view.state.signature = Signature::of(made).word();
    view.state.peer = peer;
    view.state.active = 1;
    view.age = age;
  }
  void phase(int rank, const char* name, Milliseconds age, Milliseconds limit = 0ms) {
    assign((*this)[rank].phase.name, name);
    (*this)[rank].phase_age = age;
    (*this)[rank].phase.limit_ms = limit.count();
  }
  std::optional<Verdict> judged() const { return judge(views_, limits); }

 private:
  std::vector<RankView> views_;
};

void expect(const std::optional<Verdict>& verdict, Reason reason, int rank, std::uint64_t sequence,
            ExitCode code) {
  ASSERT_TRUE(verdict);
  EXPECT_EQ(name_of(verdict->reason), name_of(reason)) << verdict->message;
  EXPECT_EQ(verdict->rank, rank) << verdict->message;
  EXPECT_EQ(verdict->sequence, sequence) << verdict->message;
  EXPECT_EQ(verdict->code, code);
}

TEST(Judge, LetsAHealthyRunBe) {
  Views views(4, 2);
  EXPECT_FALSE(views.judged());
  for (int rank = 0; rank < 3; ++rank) views.begin(rank, 1, reduce, 2900ms);
  EXPECT_FALSE(views.judged());
}

TEST(Judge, NamesTheRankThatHasNotBegun) {
  for (const int culprit : {0, 1, 5}) {
    Views views(6, 2);
    for (int rank = 0; rank < 6; ++rank)
      if (rank != culprit) views.begin(rank, 1, reduce, 3000ms);
    views.phase(culprit, "forward layer 3", 3100ms);
    const auto verdict = views.judged();
    expect(verdict, Reason::hang, culprit, 17, ExitCode::hang);
    EXPECT_EQ(verdict->operation, "all_reduce (sum) of 64 f32");
    EXPECT_EQ(verdict->communicator, "world");
    EXPECT_EQ(verdict->node, fmt::format("n{}", culprit / 2));
    EXPECT_THAT(verdict->missing, ElementsAre(culprit));
    EXPECT_THAT(verdict->message, HasSubstr("forward layer 3"));
  }
}

TEST(Judge, FollowsAChainOfWaitsToItsEnd) {
  // 0 waits in 'world' for 1, which waits in 'pair' for 3, which computes.
  Views views(4, 2);
  for (const int rank : {1, 3}) views.join(rank, 2, "pair", 1, 2, 2);
  views.begin(0, 1, reduce, 4000ms);
  views.begin(2, 1, reduce, 4000ms);
  views.begin(1, 2, gather, 3900ms);
  const auto verdict = views.judged();
  expect(verdict, Reason::hang, 3, 17, ExitCode::hang);
  EXPECT_THAT(verdict->missing, ElementsAre(1, 3));
}

TEST(Judge, SeesACircle) {
  Views views(2, 1);
  for (const int rank : {0, 1}) views.join(rank, 2, "other", 0, 1, 2);
  views.begin(0, 1, reduce, 4000ms);
  views.begin(1, 2, reduce, 3900ms);
  const auto verdict = views.judged();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->reason, Reason::hang);
  EXPECT_THAT(verdict->message, HasSubstr("wait for each other"));
}

TEST(Judge, GroupsOfUnevenSizeDoNotBlameOutsiders) {
  // {0, 2, 4} of five ranks: rank 4 misses; 1 and 3 are idle and not members.
  Views views(5, 2);
  for (const int rank : {0, 2, 4}) views.join(rank, 2, "replica", 0, 2, 3);
  views.begin(0, 2, gather, 3500ms);
  views.begin(2, 2, gather, 3400ms);
  expect(views.judged(), Reason::hang, 4, 0, ExitCode::hang);
}

TEST(Judge, AMemberThatHasNotEvenOpenedTheCommunicatorIsMissing) {
  Views views(3, 3);
  for (const int rank : {0, 1}) views.join(rank, 2, "late", 0, 1, 3);
  for (const int rank : {0, 1}) views.begin(rank, 2, gather, 3500ms);
  expect(views.judged(), Reason::hang, 2, 0, ExitCode::hang);
}

TEST(Judge, PointToPointBlamesTheOtherSideUnlessItMeetsUs) {
  Views views(4, 2);
  views.send_or_receive(0, 1, Call::receive(nullptr, 5, DType::f32, 3), 3, 3500ms);
  expect(views.judged(), Reason::hang, 3, 16, ExitCode::hang);
  views.send_or_receive(3, 1, Call::send(nullptr, 5, DType::f32, 0), 0, 100ms);
  const auto both = views.judged();
  ASSERT_TRUE(both);
  EXPECT_EQ(both->rank, 0);
  EXPECT_THAT(both->message, HasSubstr("look at the network"));
}

TEST(Judge, ACallThatAllHaveBegunPointsAtTheNetwork) {
  Views views(4, 2);
  for (int rank = 0; rank < 4; ++rank) views.begin(rank, 1, reduce, 3000ms);
  const auto verdict = views.judged();
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->missing.empty());
  EXPECT_THAT(verdict->message, HasSubstr("network"));
}

TEST(Judge, PhasesMayHaveLimitsOfTheirOwn) {
  Views views(4, 2);
  for (int rank = 0; rank < 3; ++rank) views.begin(rank, 1, reduce, 5000ms);
  views.phase(3, "write checkpoint", 5000ms, 60s);
  EXPECT_FALSE(views.judged());
  views.phase(3, "write checkpoint", 60s, 60s);
  expect(views.judged(), Reason::hang, 3, 17, ExitCode::hang);

  Views quick(4, 2);
  quick.begin(0, 1, reduce, 500ms);
  quick.phase(2, "forward", 1000ms, 1000ms);
  expect(quick.judged(), Reason::hang, 2, 17, ExitCode::hang);
  quick.begin(2, 1, reduce, 10ms);
  EXPECT_FALSE(quick.judged()) << "a rank that has gone on to its call no longer computes";
}

TEST(Judge, FindsMismatchesByMajority) {
  struct Case {
    std::vector<Signature> made;
    int culprit;
  };
  const Signature longer = Signature::of(Call::all_reduce(nullptr, nullptr, 65, DType::f32, Reduction::sum));
  const Signature maximum = Signature::of(Call::all_reduce(nullptr, nullptr, 64, DType::f32, Reduction::max));
  const Signature halves = Signature::of(Call::all_reduce(nullptr, nullptr, 64, DType::bf16, Reduction::sum));
  for (const Case& one :
       {Case{{reduce, reduce, barrier, reduce}, 2}, Case{{barrier, reduce, reduce, reduce}, 0},
        Case{{reduce, reduce, reduce, longer}, 3}, Case{{reduce, maximum, reduce, reduce}, 1},
        Case{{reduce, reduce, halves, reduce}, 2}, Case{{reduce, gather, reduce, gather}, 1}}) {
    Views views(4, 1);
    for (int rank = 0; rank < 4; ++rank)
      views.begin(rank, 1, one.made[static_cast<std::size_t>(rank)], 400ms);
    expect(views.judged(), Reason::mismatch, one.culprit, 17, ExitCode::internal);
  }
}

TEST(Judge, WaitsForNewsOfTheOthersWhereTheyWouldTellWhoIsWrong) {
  Views views(4, 2);
  views.begin(0, 1, barrier, 400ms);
  views.begin(1, 1, reduce, 400ms);
  EXPECT_FALSE(views.judged());
  views.begin(2, 1, reduce, 10ms);
  expect(views.judged(), Reason::mismatch, 0, 17, ExitCode::internal);
}

TEST(Judge, DoesNotWaitForNewsForLong) {
  Views views(4, 2);
  views.begin(0, 1, barrier, 1000ms);
  views.begin(1, 1, reduce, 1000ms);
  const auto verdict = views.judged();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->reason, Reason::mismatch);
}

TEST(Judge, RemembersAMismatchThatOneRankHasAlreadyLeft) {
  Views views(2, 1);
  views.begin(0, 1, reduce, 0ms);
  views.begin(0, 1, reduce, 400ms);
  views.begin(1, 1, barrier, 400ms);
  const auto verdict = views.judged();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->reason, Reason::mismatch);
  EXPECT_EQ(verdict->sequence, 17u);
}

TEST(Judge, CountsThatMayDifferAreNoMismatch) {
  const Signature one =
      Signature::of(Call::all_to_all(nullptr, nullptr, Shards::of({1, 2}), Shards::of({1, 5}), DType::f32));
  const Signature other =
      Signature::of(Call::all_to_all(nullptr, nullptr, Shards::of({5, 7}), Shards::of({2, 7}), DType::f32));
  EXPECT_EQ(one, other);
}

TEST(Judge, ADeathWaitsForTheOthersToShowWhatTheyMiss) {
  Views views(4, 2);
  views[2].presence = Presence::dead;
  views[2].presence_age = 50ms;
  EXPECT_FALSE(views.judged());
  views.begin(0, 1, gather, 10ms);
  const auto verdict = views.judged();
  expect(verdict, Reason::rank_died, 2, 17, ExitCode::requeue);
  EXPECT_EQ(verdict->operation, "all_gather of 32 bf16");
}

TEST(Judge, ADeathThatNobodyMissesIsAfterItsLastOperation) {
  Views views(4, 2);
  views[2].presence = Presence::dead;
  views[2].presence_age = 200ms;
  const auto verdict = views.judged();
  expect(verdict, Reason::rank_died, 2, 17, ExitCode::requeue);
  EXPECT_EQ(verdict->operation, "after all_reduce (sum) of 64 f32");
}

TEST(Judge, NewsOfALostNodeMayBeOlderThanWhatOthersMissItIn) {
  Views views(4, 2);
  for (const int rank : {0, 1})
    for (int call = 0; call < 4; ++call) views.begin(rank, 1, reduce, 100ms);
  for (const int rank : {2, 3}) {
    views.begin(rank, 1, reduce, 900ms);
    views[rank].presence = Presence::lost, views[rank].presence_age = 300ms;
  }
  expect(views.judged(), Reason::node_lost, 2, 20, ExitCode::requeue);
}

TEST(Judge, ALostNodeIsNotADeadRank) {
  Views views(4, 2);
  for (const int rank : {2, 3}) views[rank].presence = Presence::lost, views[rank].presence_age = 300ms;
  const auto verdict = views.judged();
  expect(verdict, Reason::node_lost, 2, 17, ExitCode::requeue);
  EXPECT_EQ(verdict->node, "n1");
}

TEST(Judge, ARankThatLeftIsNotMissed) {
  Views views(2, 2);
  views[1].presence = Presence::left;
  views[1].beat_age = 100s;
  EXPECT_FALSE(views.judged());
}

TEST(Judge, ARankThatIsStoppedInsideACallIsNamedThoughItHadBegun) {
  Views views(4, 2);
  views[3].stopped = true;
  for (int rank = 0; rank < 4; ++rank) views.begin(rank, 1, reduce, 3000ms);
  expect(views.judged(), Reason::stopped, 3, 17, ExitCode::hang);
}

TEST(Judge, StoppedRanksAreToldFromSilentNodes) {
  Views views(4, 2);
  views[1].beat_age = 3000ms;
  views[1].stopped = true;
  for (const int rank : {0, 2, 3}) views.begin(rank, 1, reduce, 2990ms);
  expect(views.judged(), Reason::stopped, 1, 17, ExitCode::hang);

  Views silent(4, 2);
  for (const int rank : {2, 3}) silent[rank].beat_age = 3000ms;
  expect(silent.judged(), Reason::node_lost, 2, 17, ExitCode::requeue);
}

TEST(Judge, AnErrorEndsWithItsOwnCodeUnlessAMismatchCausedIt) {
  Views views(4, 2);
  views[3].presence = Presence::failed;
  views[3].presence_age = 200ms;
  views[3].failure.code = static_cast<std::uint64_t>(ExitCode::damaged);
  assign(views[3].failure.message, "sample 17 cannot be read");
  const auto verdict = views.judged();
  expect(verdict, Reason::error, 3, 17, ExitCode::damaged);
  EXPECT_THAT(verdict->message, HasSubstr("sample 17 cannot be read"));

  views.begin(3, 1, reduce, 10ms);
  views.begin(1, 1, barrier, 10ms);
  views.begin(0, 1, reduce, 10ms);
  expect(views.judged(), Reason::mismatch, 1, 17, ExitCode::internal);
}

}  // namespace
}  // namespace trireme::comm
