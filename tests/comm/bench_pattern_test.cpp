#include <algorithm>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "comm/bench/pattern.h"

namespace trireme::comm::bench {
namespace {

/// What a correct backend does, by the plainest code: every rank's input is at hand, values are small
/// integers.
class Reference {
 public:
  Reference(Collective collective, DType dtype, Reduction reduction, int ranks, std::size_t bytes)
      : workload_(Workload::fitting(collective, dtype, reduction, ranks, false, bytes)),
        buffers_(static_cast<std::size_t>(2 * ranks), std::vector<std::uint64_t>(bytes / 8 + 1)) {
    for (int rank = 0; rank < ranks; ++rank) {
      placed_.push_back(place(workload_, rank, buffer(2 * rank), buffer(2 * rank + 1)));
      prepare_check(workload_, rank, placed_.back());
    }
  }

  void copy(int from, std::size_t from_element, int to, std::size_t to_element, std::size_t elements) {
    const std::size_t size = size_of(workload_.dtype);
    std::memcpy(at(to).out + to_element * size, at(from).in + from_element * size, elements * size);
  }
  const Placed& at(int rank) const { return placed_[static_cast<std::size_t>(rank)]; }
  const Workload& workload() const { return workload_; }
  std::uint64_t wrong() const {
    std::uint64_t wrong = 0;
    for (int rank = 0; rank < workload_.ranks; ++rank) wrong += count_wrong(workload_, rank, at(rank));
    return wrong;
  }

 private:
  void* buffer(int index) { return buffers_[static_cast<std::size_t>(index)].data(); }
  Workload workload_;
  std::vector<std::vector<std::uint64_t>> buffers_;
  std::vector<Placed> placed_;
};

TEST(BenchPattern, AcceptsARightGatherAndCountsEveryMisplacedElement) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i8, DType::i64}) {
    Reference gather(Collective::all_gather, dtype, Reduction::sum, 4, 8192);
    const std::size_t part = gather.workload().part();
    EXPECT_EQ(gather.wrong(), 4 * gather.workload().elements) << "an untouched output is wrong everywhere";
    for (int to = 0; to < 4; ++to)
      for (int from = 0; from < 4; ++from)
        gather.copy(from, 0, to, part * static_cast<std::size_t>(from), part);
    EXPECT_EQ(gather.wrong(), 0u);
    gather.copy(1, 0, 3, part * 2, part);
    EXPECT_GT(gather.wrong(), part / 4) << "a neighbour's block in its place";
  }
}

TEST(BenchPattern, SeesBlocksThatMovedByPowersOfTwo) {
  for (std::size_t shift = 1; shift < 1024; shift *= 2) {
    Reference exchange(Collective::sendrecv, DType::f32, Reduction::sum, 2, 8192);
    const std::size_t elements = exchange.workload().elements;
    for (int rank = 0; rank < 2; ++rank) exchange.copy(1 - rank, 0, rank, 0, elements);
    ASSERT_EQ(exchange.wrong(), 0u);
    exchange.copy(1, 0, 0, shift, elements - shift);
    EXPECT_GT(exchange.wrong(), (elements - shift) / 4) << shift;
  }
}

template <typename T>
void expect_reductions_checked(DType dtype, Reduction reduction, int ranks) {
  Reference reduce(Collective::all_reduce, dtype, reduction, ranks, 4096);
  const std::size_t elements = reduce.workload().elements;
  for (std::size_t i = 0; i < elements; ++i) {
    float sum = 0, max = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const float value = static_cast<float>(reinterpret_cast<const T*>(reduce.at(rank).in)[i]);
      sum += value, max = std::max(max, value);
    }
    if (reduction == Reduction::mean) sum /= static_cast<float>(ranks);
    for (int rank = 0; rank < ranks; ++rank)
      reinterpret_cast<T*>(reduce.at(rank).out)[i] = T(reduction == Reduction::max ? max : sum);
  }
  EXPECT_EQ(reduce.wrong(), 0u);
  reinterpret_cast<T*>(reduce.at(ranks - 1).out)[elements - 1] = T(57.0f);
  EXPECT_EQ(reduce.wrong(), 1u);
}

TEST(BenchPattern, ChecksReductionsInEveryTypeAndOperator) {
  for (const Reduction reduction : {Reduction::sum, Reduction::mean, Reduction::max})
    for (const int ranks : {2, 3, 4, 60}) {
      expect_reductions_checked<float>(DType::f32, reduction, ranks);
      expect_reductions_checked<BFloat16>(DType::bf16, reduction, ranks);
      expect_reductions_checked<Float16>(DType::f16, reduction, ranks);
      expect_reductions_checked<std::int8_t>(DType::i8, reduction, ranks);
    }
}

}  // namespace
}  // namespace trireme::comm::bench
