#include <cstdint>

#include <gtest/gtest.h>

#include "comm/mpi/mpi_world.h"
#include "tests/comm/conformance.h"
#include "tests/mpi_main.h"

namespace trireme::comm::tests {
namespace {

constexpr std::size_t elements = (std::size_t{1} << 31) + 12345;

std::int8_t value_at(int rank, std::size_t i) {
  return static_cast<std::int8_t>((i * 7 + static_cast<std::size_t>(rank)) % 50);
}

/// More elements than an int counts: the places around the borders of ints and shards, and a stride over the
/// rest.
template <typename Check>
void at_many_places(const Check& check) {
  for (std::size_t i = 0; i < elements; i += 99991) check(i);
  for (const std::size_t border : {std::size_t{0}, elements / 2, std::size_t{1} << 31, elements - 100})
    for (std::size_t i = border; i < std::min(border + 100, elements); ++i) check(i);
}

class LongVectors : public testing::TestWithParam<const char*> {};

TEST_P(LongVectors, HoldMoreElementsThanAnIntCounts) {
  MpiWorld world(trireme::tests::mpi_runtime());
  const auto communicator = world.communicator(all_ranks(world), GetParam(), {});
  const Buffer buffer = communicator->allocate(elements);
  auto* data = buffer.as<std::int8_t>();
  const int rank = communicator->rank(), ranks = communicator->size();

  const Shards shards = Shards::cut(elements, ranks);
  for (std::size_t i = 0; i < shards.count(rank); ++i)
    data[shards.offset(rank) + i] = value_at(rank, shards.offset(rank) + i);
  communicator->all_gather(data + shards.offset(rank), data, shards, DType::i8);
  at_many_places([&](std::size_t i) {
    const int owner = static_cast<int>(i / shards.count(0));
    ASSERT_EQ(data[i], value_at(owner, i)) << "gathered element " << i;
  });

  communicator->barrier();
  for (std::size_t i = 0; i < elements; ++i) data[i] = value_at(rank, i);
  communicator->all_reduce(data, data, elements, DType::i8, Reduction::max);
  at_many_places([&](std::size_t i) {
    std::int8_t largest = 0;
    for (int other = 0; other < ranks; ++other) largest = std::max(largest, value_at(other, i));
    ASSERT_EQ(data[i], largest) << "reduced element " << i;
  });

  communicator->broadcast(data, elements, DType::i8, ranks - 1);
  if (rank == 0) communicator->send(data, elements, DType::i8, 1);
  if (rank == 1) communicator->receive(data, elements, DType::i8, 0);
  at_many_places([&](std::size_t i) { ASSERT_LT(data[i], 50) << "sent element " << i; });
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Conformance);
INSTANTIATE_TEST_SUITE_P(Backends, LongVectors, testing::Values("shm", "mpi"),
                         [](const auto& backend) { return std::string(backend.param); });

}  // namespace
}  // namespace trireme::comm::tests
