#include <algorithm>

#include "core/error.h"
#include "tests/cuda/double_world.h"

namespace trireme::tests {
namespace {

using comm::Call;
using comm::Group;
using comm::Reduction;
using comm::Shards;

class NcclCalls : public DoubleWorld {
 protected:
  static float sample(int rank, std::size_t index) {
    return static_cast<float>((index * 7 + static_cast<std::size_t>(rank) * 13) % 101);
  }
};

/// Shards of which some are empty.
Shards uneven(int ranks, std::size_t scale) {
  std::vector<std::size_t> counts;
  for (int rank = 0; rank < ranks; ++rank)
    counts.push_back(scale * static_cast<std::size_t>((rank * 2 + 1) % 4) *
                     static_cast<std::size_t>(rank != 1));
  return Shards::of(std::move(counts));
}

TEST_F(NcclCalls, GathersEvenAndUnevenShards) {
  const auto all = communicator();
  for (const Shards& shards : {Shards::even(1000, size()), uneven(size(), 33), Shards::even(0, size())})
    for (const bool in_place : {false, true}) {
      const Buffer whole = all->allocate(shards.total() * 4), shard = all->allocate(shards.count(rank()) * 4);
      float* mine = in_place ? whole.as<float>() + shards.offset(rank()) : shard.as<float>();
      for (std::size_t i = 0; i < shards.count(rank()); ++i) mine[i] = sample(rank(), i);
      all->all_gather(mine, whole.data(), shards, DType::f32);
      for (int from = 0; from < size(); ++from)
        for (std::size_t i = 0; i < shards.count(from); ++i)
          ASSERT_EQ(whole.as<float>()[shards.offset(from) + i], sample(from, i));
    }
}

TEST_F(NcclCalls, ReducesAndScattersEvenAndUnevenShards) {
  const auto all = communicator();
  for (const Shards& shards : {Shards::even(700, size()), uneven(size(), 21)})
    for (const Reduction reduction : {Reduction::sum, Reduction::mean, Reduction::max}) {
      const Buffer whole = all->allocate(shards.total() * 4), shard = all->allocate(shards.count(rank()) * 4);
      for (std::size_t i = 0; i < shards.total(); ++i) whole.as<float>()[i] = sample(rank(), i);
      all->reduce_scatter(whole.data(), shard.data(), shards, DType::f32, reduction);
      for (std::size_t i = 0; i < shards.count(rank()); ++i) {
        float sum = 0, largest = 0;
        for (int from = 0; from < size(); ++from) {
          const float value = sample(from, shards.offset(rank()) + i);
          sum += value;
          largest = std::max(largest, value);
        }
        const float wanted = reduction == Reduction::max   ? largest
                             : reduction == Reduction::sum ? sum
                                                           : sum / static_cast<float>(size());
        ASSERT_FLOAT_EQ(shard.as<float>()[i], wanted);
      }
    }
}

TEST_F(NcclCalls, SendsToEveryoneInOneGroup) {
  const auto all = communicator();
  const auto amount = [](int from, int to) {
    return static_cast<std::size_t>((from * 5 + to * 3) % 4) * 100;
  };
  std::vector<std::size_t> sent, received;
  for (int other = 0; other < size(); ++other) {
    sent.push_back(amount(rank(), other));
    received.push_back(amount(other, rank()));
  }
  const Shards out_cut = Shards::of(sent), in_cut = Shards::of(received);
  const Buffer in = all->allocate(out_cut.total() * 4), out = all->allocate(in_cut.total() * 4);
  for (int to = 0; to < size(); ++to)
    for (std::size_t i = 0; i < out_cut.count(to); ++i)
      in.as<float>()[out_cut.offset(to) + i] = sample(rank() * 8 + to, i);
  all->all_to_all(in.data(), out.data(), out_cut, in_cut, DType::f32);
  for (int from = 0; from < size(); ++from)
    for (std::size_t i = 0; i < in_cut.count(from); ++i)
      ASSERT_EQ(out.as<float>()[in_cut.offset(from) + i], sample(from * 8 + rank(), i));
}

TEST_F(NcclCalls, MovesTypesThatNcclDoesNotHaveAndRefusesToReduceThem) {
  const auto all = communicator();
  const Buffer buffer = all->allocate(64 * sizeof(std::int16_t));
  auto numbers = values<std::int16_t>(buffer);
  if (rank() == size() - 1) std::iota(numbers.begin(), numbers.end(), std::int16_t{-30});
  all->broadcast(buffer.data(), numbers.size(), DType::i16, size() - 1);
  for (std::size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], static_cast<int>(i) - 30);
  EXPECT_THROW(all->all_reduce(buffer.data(), buffer.data(), 64, DType::i16, Reduction::sum), Error);
}

TEST_F(NcclCalls, GroupsAreSplitOffTheWorldInTheirOwnOrder) {
  Group backwards = everyone(), halves;
  std::reverse(backwards.ranks.begin(), backwards.ranks.end());
  for (int other = rank() % 2; other < size(); other += 2) halves.ranks.push_back(other);
  for (const Group& group : {backwards, halves}) {
    const auto part = communicator(group);
    EXPECT_EQ(part->rank(), group.index_of(rank()));
    const Buffer mine = part->allocate(4), all = part->allocate(4 * group.ranks.size());
    values<std::int32_t>(mine)[0] = rank();
    part->all_gather(mine.data(), all.data(), Shards::even(1, part->size()), DType::i32);
    const auto seen = values<std::int32_t>(all);
    EXPECT_EQ(std::vector<int>(seen.begin(), seen.end()), group.ranks);
  }
}

TEST_F(NcclCalls, BuffersAreRegisteredWithCommunicatorsMadeBeforeAndAfter) {
  const auto first = communicator();
  const Buffer buffer = first->allocate(1024);
  const auto second = communicator();
  for (float& value : values<float>(buffer)) value = 1;
  for (comm::Communicator* each :
       {static_cast<comm::Communicator*>(first.get()), static_cast<comm::Communicator*>(second.get())})
    each->all_reduce(buffer.data(), buffer.data(), 256, DType::f32, Reduction::sum);
  EXPECT_EQ(values<float>(buffer)[255], static_cast<float>(size() * size()));
}

/// What the executor does: calls follow compute by events, and compute follows calls, with no host between.
TEST_F(NcclCalls, EnqueuedCallsFollowStreamsAndStreamsFollowThem) {
  const auto all = communicator();
  constexpr std::size_t count = 5000;
  const Buffer input = device_->allocate_pinned(count * 4), whole = all->allocate(count * 4),
               result = device_->allocate_pinned(count * 4);
  const auto compute = device_->make_stream();
  const auto ready = device_->make_event(), gathered = device_->make_event(),
             finished = device_->make_event();
  HostFlag go(*device_);
  for (std::uint32_t turn = 1; turn < 6; ++turn) {
    for (float& value : values<float>(input))
      value = static_cast<float>(turn) * static_cast<float>(rank() + 1);
    compute->wait(go, turn);
    compute->copy(whole.data(), input.data(), count * 4);
    compute->record(*ready);
    const DeviceEvent* const after[] = {ready.get()};
    const std::uint64_t before = all->sequence();
    all->enqueue(Call::all_reduce(whole.data(), whole.data(), count, DType::f32, Reduction::sum), after,
                 *gathered);
    EXPECT_EQ(all->sequence(), before + 1);
    compute->wait(*gathered);
    compute->copy(result.data(), whole.data(), count * 4);
    compute->record(*finished);
    EXPECT_FALSE(finished->ready());
    go.advance_to(turn);
    while (!finished->ready()) all->check();
    all->check();
    ASSERT_EQ(values<float>(result)[count - 1],
              static_cast<float>(turn) * static_cast<float>(size() * (size() + 1) / 2));
  }
  all->barrier();
}

/// Began and ended, in the order of the calls.
struct Watcher final : comm::CallObserver {
  std::vector<std::string> seen;
  void began(const comm::Communicator&, const Call& call, std::uint64_t number) noexcept override {
    seen.push_back("began " + std::to_string(number) + " " + call.describe());
  }
  void ended(const comm::Communicator&, const Call& call, std::uint64_t number) noexcept override {
    seen.push_back("ended " + std::to_string(number) + " " + call.describe());
  }
};

TEST_F(NcclCalls, ObserversSeeEnqueuedCalls) {
  comm::CommunicatorOptions options;
  const auto watcher = std::make_shared<Watcher>();
  options.observer = watcher;
  {
    const auto all = communicator(everyone(), options);
    const Buffer word = all->allocate(4);
    const auto done = device_->make_event();
    all->enqueue(Call::broadcast(word.data(), 1, DType::i32, 0), {}, *done);
    while (!done->ready()) std::this_thread::yield();
    all->check();
    all->barrier();
  }
  ASSERT_EQ(watcher->seen.size(), 4u);
  EXPECT_EQ(watcher->seen[0], "began 0 broadcast of 1 i32");
  EXPECT_EQ(watcher->seen[1], "ended 0 broadcast of 1 i32");
  EXPECT_EQ(watcher->seen[2], "began 1 barrier");
}

}  // namespace
}  // namespace trireme::tests
