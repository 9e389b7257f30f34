#include <chrono>
#include <cstring>
#include <numeric>
#include <random>
#include <thread>

#include "tests/comm/conformance.h"

namespace trireme::comm::tests {
namespace {

TEST_P(Conformance, NobodyLeavesABarrierBeforeAllHaveCome) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    for (int turn = 0; turn < 5; ++turn) {
      std::this_thread::sleep_for(std::chrono::milliseconds((communicator->rank() + turn) % 3 * 5));
      const std::int64_t came = std::chrono::steady_clock::now().time_since_epoch().count();
      communicator->barrier();
      const std::int64_t left = std::chrono::steady_clock::now().time_since_epoch().count();
      std::int64_t last_came = 0;
      communicator->all_reduce(&came, &last_came, 1, DType::i64, Reduction::max);
      EXPECT_GE(left, last_came);
    }
  });
}

TEST_P(Conformance, GroupsWorkBesideEachOther) {
  on_each_rank([this](World& world) {
    const int ranks = world.size(), rank = world.rank();
    std::vector<Group> mine(3);
    for (int other = 0; other < ranks; ++other) {
      if (other * 2 / ranks == rank * 2 / ranks) mine[0].ranks.push_back(other);
      if (other % 2 == rank % 2) mine[1].ranks.push_back(other);
      mine[2].ranks.insert(mine[2].ranks.begin(), other);
    }
    std::vector<std::unique_ptr<Communicator>> communicators;
    for (const Group& group : mine) communicators.push_back(over(world, group));
    for (const std::size_t count : {3u, 70000u}) {
      std::vector<Buffer> buffers;
      for (const auto& communicator : communicators)
        buffers.push_back(communicator->allocate(count * static_cast<std::size_t>(ranks) * 4));
      std::vector<Event> done;
      for (int turn = 0; turn < 3; ++turn)
        for (std::size_t i = 0; i < communicators.size(); ++i) {
          Communicator& communicator = *communicators[i];
          const Shards shards = Shards::even(count, communicator.size());
          auto* out = buffers[i].as<std::int32_t>();
          auto* shard = out + shards.offset(communicator.rank());
          if (turn == 0) std::fill_n(shard, count, rank + 1);
          done.push_back(turn == 1 ? communicator.post(Call::all_reduce(out, out, shards.total(), DType::i32,
                                                                        Reduction::max))
                                   : communicator.post(Call::all_gather(shard, out, shards, DType::i32)));
        }
      for (const Event& event : done) event.wait();
      for (std::size_t i = 0; i < communicators.size(); ++i)
        for (int member = 0; member < communicators[i]->size(); ++member)
          EXPECT_EQ(buffers[i].as<std::int32_t>()[static_cast<std::size_t>(member) * count + count - 1],
                    mine[i].ranks[static_cast<std::size_t>(member)] + 1);
    }
  });
}

TEST_P(Conformance, AllocatingWaitsForNoCallOfAnotherCommunicator) {
  on_each_rank([this](World& world) {
    CommunicatorOptions options;
    options.time_limit = std::chrono::seconds(20);
    const auto early = everyone(world, options), late = everyone(world, options);
    std::int64_t word = 1;
    Event posted = Event::already_set();
    if (world.rank() == 0) {
      posted = early->post(Call::all_reduce(&word, &word, 1, DType::i64, Reduction::sum));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    const Buffer buffer = late->allocate(std::size_t{1} << 21);
    late->broadcast(buffer.data(), buffer.bytes(), DType::u8, 0);
    if (world.rank() != 0) early->all_reduce(&word, &word, 1, DType::i64, Reduction::sum);
    posted.wait();
    EXPECT_EQ(word, world.size());
  });
}

TEST_P(Conformance, PostedAndRunCallsKeepTheirOrder) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    const Buffer buffer = communicator->allocate(4000 * sizeof(std::int64_t));
    auto* values = buffer.as<std::int64_t>();
    std::fill_n(values, 4000, std::int64_t{1});
    std::mt19937 random(7);
    std::int64_t expected = 1;
    Event last = Event::already_set();
    for (int turn = 0; turn < 60; ++turn) {
      const std::size_t count = random() % 4000 + 1;
      const bool mean = expected > 1000000;
      const Call call =
          Call::all_reduce(values, values, 4000, DType::i64, mean ? Reduction::mean : Reduction::sum);
      const Call gather =
          Call::broadcast(values, count, DType::i64, static_cast<int>(count) % communicator->size());
      if (random() % 2) {
        last = communicator->post(call, {last});
        communicator->post(gather);
      } else {
        communicator->run(call);
        communicator->run(gather);
      }
      if (!mean) expected *= communicator->size();
    }
    communicator->drain();
    for (std::size_t i = 0; i < 4000; ++i) ASSERT_EQ(values[i], expected);
    EXPECT_EQ(communicator->sequence(), 120u);
  });
}

template <typename T>
void check_that_sums_round_once(Communicator& communicator, DType dtype) {
  for (const std::size_t count : {100u, 50000u}) {
    std::vector<std::vector<T>> all(static_cast<std::size_t>(communicator.size()));
    for (int rank = 0; rank < communicator.size(); ++rank) {
      std::mt19937 random(static_cast<unsigned>(rank) + 11);
      std::normal_distribution<float> normal;
      for (std::size_t i = 0; i < count; ++i)
        all[static_cast<std::size_t>(rank)].push_back(T(normal(random)));
    }
    std::vector<T> sum(count);
    communicator.all_reduce(all[static_cast<std::size_t>(communicator.rank())].data(), sum.data(), count,
                            dtype, Reduction::sum);
    for (std::size_t i = 0; i < count; ++i) {
      float exact = 0;
      for (std::size_t rank = 0; rank < all.size(); ++rank)
        exact = rank == 0 ? static_cast<float>(all[0][i]) : exact + static_cast<float>(all[rank][i]);
      ASSERT_EQ(static_cast<float>(sum[i]), static_cast<float>(T(exact))) << "element " << i;
    }
  }
}

TEST_P(Conformance, HalfTypesAddInFp32OverAllRanksAndRoundOnce) {
  if (!GetParam().rounds_once) GTEST_SKIP() << "this backend rounds after each step";
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    check_that_sums_round_once<BFloat16>(*communicator, DType::bf16);
    check_that_sums_round_once<Float16>(*communicator, DType::f16);
  });
}

TEST_P(Conformance, SumsAreTheSameToTheBitOnAllRanksAndEveryTime) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    for (const std::size_t count : {100u, 40000u}) {
      const Buffer buffer = communicator->allocate(count * sizeof(float) * 2);
      std::mt19937 random(static_cast<unsigned>(communicator->rank()));
      std::normal_distribution<float> normal;
      float* in = buffer.as<float>();
      for (std::size_t i = 0; i < count; ++i) in[i] = normal(random);
      std::vector<float> first(count), plain(count);
      communicator->all_reduce(in, plain.data(), count, DType::f32, Reduction::mean);
      for (int turn = 0; turn < 3; ++turn) {
        float* out = in + count;
        communicator->all_reduce(in, out, count, DType::f32, Reduction::mean);
        if (turn == 0) std::copy_n(out, count, first.begin());
        EXPECT_EQ(std::memcmp(first.data(), out, count * sizeof(float)), 0);
      }
      EXPECT_EQ(std::memcmp(first.data(), plain.data(), count * sizeof(float)), 0);
      std::vector<float> of_root = first;
      communicator->broadcast(of_root.data(), count, DType::f32, communicator->size() - 1);
      EXPECT_EQ(std::memcmp(first.data(), of_root.data(), count * sizeof(float)), 0);
    }
  });
}

TEST_P(Conformance, TrafficIsWhatTheFormulasSay) {
  on_each_rank([this](World& world) {
    const auto counted = everyone(world);
    const auto sums = everyone(world);
    const std::uint64_t others = static_cast<std::uint64_t>(counted->size() - 1);
    const auto sent_by_all = [&](const Call& call) {
      const Traffic before = counted->traffic();
      counted->run(call);
      const Traffic after = counted->traffic();
      const std::uint64_t mine =
          after.inside_node + after.across_nodes - before.inside_node - before.across_nodes;
      std::uint64_t all = 0;
      sums->all_reduce(&mine, &all, 1, DType::i64, Reduction::sum);
      return all;
    };
    for (const Shards& shards : sample_cuts(counted->size(), 5)) {
      const std::size_t total = shards.total();
      std::vector<float> whole(total + 1), result(total + 1), shard(shards.count(counted->rank()) + 1);
      EXPECT_EQ(sent_by_all(Call::all_gather(shard.data(), whole.data(), shards, DType::f32)),
                others * total * 4);
      EXPECT_EQ(
          sent_by_all(Call::reduce_scatter(whole.data(), shard.data(), shards, DType::f32, Reduction::sum)),
          others * total * 4);
      EXPECT_EQ(sent_by_all(Call::all_reduce(whole.data(), result.data(), total, DType::f32, Reduction::sum)),
                2 * others * total * 4);
      EXPECT_EQ(sent_by_all(Call::broadcast(whole.data(), total, DType::f32, 0)), others * total * 4);
    }
    EXPECT_EQ(sent_by_all(Call::barrier()), 0u);
  });
}

}  // namespace
}  // namespace trireme::comm::tests
