#include <algorithm>
#include <map>

#include "tests/comm/conformance.h"

namespace trireme::comm::tests {
namespace {

constexpr std::size_t memory_bytes = std::size_t{10} << 20;
constexpr Where everywhere[] = {Where::plain, Where::shared, Where::mixed};

/// Elements worked out one by one, once for all the ways in which a call is made.
using Elements = std::vector<std::byte>;

Elements samples(int rank, std::size_t first, std::size_t count, DType dtype) {
  Elements elements(count * size_of(dtype));
  fill(elements.data(), first, count, rank, dtype);
  return elements;
}

Elements reductions(int ranks, std::size_t first, std::size_t count, DType dtype, Reduction reduction) {
  Elements elements(count * size_of(dtype));
  for (std::size_t i = 0; i < count; ++i)
    set(elements.data(), i, dtype, reduced(ranks, first + i, dtype, reduction));
  return elements;
}

Elements samples_of_all(const Shards& shards, DType dtype) {
  Elements elements(shards.total() * size_of(dtype));
  for (int rank = 0; rank < shards.ranks(); ++rank)
    fill(elements.data() + shards.offset(rank) * size_of(dtype), shards.offset(rank), shards.count(rank),
         rank, dtype);
  return elements;
}

void put(std::byte* data, const Elements& elements) {
  std::ranges::copy(elements, data);
}

/// Mismatches of a result as one failure with the first of them.
void expect_elements(const std::byte* data, const Elements& wanted, DType dtype, const std::string& what) {
  if (std::equal(wanted.begin(), wanted.end(), data)) return;
  const std::size_t count = wanted.size() / size_of(dtype);
  for (std::size_t i = 0; i < count; ++i)
    if (get(data, i, dtype) != get(wanted.data(), i, dtype)) {
      ADD_FAILURE() << what << ": element " << i << " of " << count << " is " << get(data, i, dtype)
                    << ", not " << get(wanted.data(), i, dtype);
      return;
    }
}

std::string title(const Call& call, Where where, bool in_place, int rank) {
  return call.describe() + " " + std::string(name_of(call.reduction)) + " memory " +
         std::to_string(static_cast<int>(where)) + (in_place ? " in place" : "") + " rank " +
         std::to_string(rank);
}

bool meaningful(DType dtype, Reduction reduction) {
  return dtype != DType::boolean || reduction != Reduction::mean;
}

TEST_P(Conformance, AllGather) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    Memory memory(*communicator, memory_bytes);
    const int rank = communicator->rank();
    unsigned seed = 1;
    for (const DType dtype : all_dtypes())
      for (const Shards& shards : sample_cuts(communicator->size(), ++seed)) {
        const Elements given = samples(rank, shards.offset(rank), shards.count(rank), dtype);
        const Elements wanted = samples_of_all(shards, dtype);
        for (const Where where : everywhere)
          for (const bool in_place : {false, true}) {
            memory.clear();
            std::byte* whole = memory.take(shards.total(), dtype, where);
            std::byte* shard = in_place ? whole + shards.offset(rank) * size_of(dtype)
                                        : memory.take(shards.count(rank), dtype, where);
            put(shard, given);
            const Call call = Call::all_gather(shard, whole, shards, dtype);
            communicator->run(call);
            const std::string what = title(call, where, in_place, rank);
            expect_elements(whole, wanted, dtype, what);
            EXPECT_TRUE(memory.intact()) << what;
          }
      }
  });
}

TEST_P(Conformance, ReduceScatter) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    Memory memory(*communicator, memory_bytes);
    const int rank = communicator->rank(), ranks = communicator->size();
    unsigned seed = 100;
    for (const DType dtype : reducible())
      for (const Shards& shards : sample_cuts(ranks, ++seed)) {
        const Elements given = samples(rank, 0, shards.total(), dtype);
        std::map<Reduction, Elements> wanted;
        for (const Reduction reduction : all_reductions())
          wanted[reduction] = reductions(ranks, shards.offset(rank), shards.count(rank), dtype, reduction);
        for (const Where where : everywhere)
          for (const bool in_place : {false, true}) {
            const Reduction reduction = all_reductions()[seed++ % 3];
            if (!meaningful(dtype, reduction)) continue;
            memory.clear();
            std::byte* whole = memory.take(shards.total(), dtype, where);
            std::byte* shard = in_place ? whole + shards.offset(rank) * size_of(dtype)
                                        : memory.take(shards.count(rank), dtype, where);
            put(whole, given);
            const Call call = Call::reduce_scatter(whole, shard, shards, dtype, reduction);
            communicator->run(call);
            const std::string what = title(call, where, in_place, rank);
            expect_elements(shard, wanted.at(reduction), dtype, what);
            EXPECT_TRUE(memory.intact()) << what;
          }
      }
  });
}

TEST_P(Conformance, AllReduce) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    Memory memory(*communicator, memory_bytes);
    const int rank = communicator->rank(), ranks = communicator->size();
    unsigned seed = 200;
    for (const DType dtype : reducible())
      for (const std::size_t count : sample_counts(++seed)) {
        const Elements given = samples(rank, 0, count, dtype);
        for (const Reduction reduction : all_reductions()) {
          if (!meaningful(dtype, reduction) || (count > 100000 && reduction == Reduction::max)) continue;
          const Elements wanted = reductions(ranks, 0, count, dtype, reduction);
          for (const Where where : everywhere)
            for (const bool in_place : {false, true}) {
              memory.clear();
              std::byte* in = memory.take(count, dtype, where);
              std::byte* out = in_place ? in : memory.take(count, dtype, where);
              put(in, given);
              const Call call = Call::all_reduce(in, out, count, dtype, reduction);
              communicator->run(call);
              const std::string what = title(call, where, in_place, rank);
              expect_elements(out, wanted, dtype, what);
              EXPECT_TRUE(memory.intact()) << what;
            }
        }
      }
  });
}

TEST_P(Conformance, BroadcastFromEveryRoot) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    Memory memory(*communicator, memory_bytes);
    unsigned seed = 300;
    for (const DType dtype : all_dtypes())
      for (const std::size_t count : sample_counts(++seed))
        for (const Where where : everywhere) {
          const int root = static_cast<int>(seed++) % communicator->size();
          memory.clear();
          std::byte* data = memory.take(count, dtype, where);
          if (communicator->rank() == root) fill(data, 0, count, root, dtype);
          const Call call = Call::broadcast(data, count, dtype, root);
          communicator->run(call);
          expect_elements(data, samples(root, 0, count, dtype), dtype,
                          title(call, where, true, communicator->rank()));
          EXPECT_TRUE(memory.intact());
        }
  });
}

TEST_P(Conformance, AllToAll) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    Memory memory(*communicator, memory_bytes);
    const int rank = communicator->rank(), ranks = communicator->size();
    for (const DType dtype : all_dtypes())
      for (const std::size_t scale : {0u, 1u, 40u, 1000u, 30000u})
        for (const Where where : everywhere)
          for (const bool even : {true, false}) {
            const auto amount = [&](int from, int to) {
              return even ? scale : scale * (static_cast<std::size_t>(from * 5 + to * 3) % 4) / 3;
            };
            std::vector<std::size_t> sent, received;
            for (int other = 0; other < ranks; ++other)
              sent.push_back(amount(rank, other)), received.push_back(amount(other, rank));
            const Shards out_cut = Shards::of(sent), in_cut = Shards::of(received);
            memory.clear();
            std::byte* in = memory.take(out_cut.total(), dtype, where);
            std::byte* out = memory.take(in_cut.total(), dtype, where);
            for (int to = 0; to < ranks; ++to)
              fill(in + out_cut.offset(to) * size_of(dtype), static_cast<std::size_t>(to) * 1000,
                   sent[static_cast<std::size_t>(to)], rank, dtype);
            const Call call = Call::all_to_all(in, out, out_cut, in_cut, dtype);
            communicator->run(call);
            for (int from = 0; from < ranks; ++from)
              expect_elements(out + in_cut.offset(from) * size_of(dtype),
                              samples(from, static_cast<std::size_t>(rank) * 1000, in_cut.count(from), dtype),
                              dtype, title(call, where, false, rank));
            EXPECT_TRUE(memory.intact());
          }
  });
}

TEST_P(Conformance, SendsReachTheirReceiverInOrder) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    Memory memory(*communicator, memory_bytes);
    const int rank = communicator->rank(), ranks = communicator->size();
    unsigned seed = 400;
    for (const DType dtype : all_dtypes())
      for (const std::size_t count : sample_counts(++seed))
        for (const Where where : everywhere)
          for (int from = 0; from < ranks; ++from) {
            const int to = (from + 1) % ranks;
            if (from == to || (rank != from && rank != to)) continue;
            memory.clear();
            std::byte* first = memory.take(count, dtype, where);
            std::byte* second = memory.take(7, dtype, where);
            if (rank == from) {
              fill(first, 0, count, rank, dtype);
              fill(second, 9, 7, rank, dtype);
              communicator->send(first, count, dtype, to);
              communicator->send(second, 7, dtype, to);
            } else {
              communicator->receive(first, count, dtype, from);
              communicator->receive(second, 7, dtype, from);
              expect_elements(first, samples(from, 0, count, dtype), dtype, "message");
              expect_elements(second, samples(from, 9, 7, dtype), dtype, "second message");
            }
            EXPECT_TRUE(memory.intact());
          }
  });
}

}  // namespace
}  // namespace trireme::comm::tests
