#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "tests/comm/conformance.h"

namespace trireme::comm::tests {
namespace {

constexpr std::byte sentinel{0xa5};

template <typename T>
double get_as(const void* data, std::size_t index) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(data) + index * sizeof(T), sizeof(T));
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(value);
  } else {
    return static_cast<double>(static_cast<float>(value));
  }
}

template <typename T>
void set_as(void* data, std::size_t index, double number) {
  T value;
  if constexpr (std::is_arithmetic_v<T>) {
    value = static_cast<T>(number);
  } else {
    value = T(static_cast<float>(number));
  }
  std::memcpy(static_cast<std::byte*>(data) + index * sizeof(T), &value, sizeof(T));
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16 || dtype == DType::f16;
}

}  // namespace

double get(const void* data, std::size_t index, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return get_as<float>(data, index);
    case DType::f64:
      return get_as<double>(data, index);
    case DType::bf16:
      return get_as<BFloat16>(data, index);
    case DType::f16:
      return get_as<Float16>(data, index);
    case DType::i8:
      return get_as<std::int8_t>(data, index);
    case DType::u8:
    case DType::boolean:
      return get_as<std::uint8_t>(data, index);
    case DType::i16:
      return get_as<std::int16_t>(data, index);
    case DType::i32:
      return get_as<std::int32_t>(data, index);
    case DType::i64:
      return get_as<std::int64_t>(data, index);
  }
  return 0;
}

void set(void* data, std::size_t index, DType dtype, double value) {
  switch (dtype) {
    case DType::f32:
      return set_as<float>(data, index, value);
    case DType::f64:
      return set_as<double>(data, index, value);
    case DType::bf16:
      return set_as<BFloat16>(data, index, value);
    case DType::f16:
      return set_as<Float16>(data, index, value);
    case DType::i8:
      return set_as<std::int8_t>(data, index, value);
    case DType::u8:
    case DType::boolean:
      return set_as<std::uint8_t>(data, index, value);
    case DType::i16:
      return set_as<std::int16_t>(data, index, value);
    case DType::i32:
      return set_as<std::int32_t>(data, index, value);
    case DType::i64:
      return set_as<std::int64_t>(data, index, value);
  }
}

double sample(int rank, std::size_t index, DType dtype) {
  const std::uint64_t mixed =
      (index * 31 + static_cast<std::uint64_t>(rank) * 17 + 5) * 0x9e3779b97f4a7c15u >> 40;
  if (dtype == DType::boolean) return static_cast<double>(mixed % 3 == 0);
  if (dtype == DType::u8) return static_cast<double>(mixed % 17);
  return static_cast<double>(mixed % 17) - 8;
}

void fill(void* data, std::size_t first, std::size_t count, int rank, DType dtype) {
  for (std::size_t i = 0; i < count; ++i) set(data, i, dtype, sample(rank, first + i, dtype));
}

double reduced(int ranks, std::size_t index, DType dtype, Reduction reduction) {
  double sum = 0, largest = sample(0, index, dtype);
  for (int rank = 0; rank < ranks; ++rank) {
    sum += sample(rank, index, dtype);
    largest = std::max(largest, sample(rank, index, dtype));
  }
  if (reduction == Reduction::max || dtype == DType::boolean) return largest;
  if (reduction == Reduction::sum) return sum;
  if (dtype == DType::f64) return sum / ranks;
  if (!is_float(dtype)) return static_cast<double>(static_cast<int>(sum) / ranks);
  const float mean = static_cast<float>(sum) / static_cast<float>(ranks);
  if (dtype == DType::bf16) return static_cast<double>(static_cast<float>(BFloat16(mean)));
  if (dtype == DType::f16) return static_cast<double>(static_cast<float>(Float16(mean)));
  return static_cast<double>(mean);
}

const std::vector<DType>& all_dtypes() {
  static const std::vector<DType> dtypes{DType::f32, DType::bf16, DType::f16, DType::f64, DType::i8,
                                         DType::u8,  DType::i16,  DType::i32, DType::i64, DType::boolean};
  return dtypes;
}

const std::vector<Reduction>& all_reductions() {
  static const std::vector<Reduction> reductions{Reduction::sum, Reduction::mean, Reduction::max};
  return reductions;
}

std::vector<std::size_t> sample_counts(unsigned seed) {
  std::mt19937 random(seed);
  return {0, 1, 1 + random() % 200, 3000 + random() % 3000,
          seed % 4 == 0 ? 300000 + random() % 100 : 20000 + random() % 20000};
}

std::vector<Shards> sample_cuts(int ranks, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Shards> cuts;
  for (const std::size_t total : sample_counts(seed)) {
    const std::size_t each = total / static_cast<std::size_t>(ranks);
    cuts.push_back(Shards::even(each, ranks));
    if (total < 2) continue;
    std::vector<std::size_t> counts;
    for (int rank = 0; rank < ranks; ++rank) counts.push_back(random() % (each + 1));
    counts[random() % counts.size()] = 0;
    cuts.push_back(Shards::of(counts));
  }
  std::vector<std::size_t> one_has_all(static_cast<std::size_t>(ranks));
  one_has_all.back() = 40001;
  cuts.push_back(Shards::of(one_has_all));
  return cuts;
}

Memory::Memory(Communicator& communicator, std::size_t bytes)
    : rank_(communicator.rank()), shared_(communicator.allocate(bytes)), plain_(bytes) {}

std::byte* Memory::take(std::size_t elements, DType dtype, Where where) {
  const bool shared = where == Where::shared || (where == Where::mixed && rank_ % 2 == 0);
  std::size_t& used = used_[shared ? 1 : 0];
  const std::size_t width = size_of(dtype), bytes = elements * width;
  const std::size_t start = (used + 63) / 64 * 64 + (taken_.size() % 8) * width;
  used = start + bytes + guard;
  if (used > plain_.size()) throw std::length_error("the test's memory is too small");
  std::byte* data = (shared ? shared_.as<std::byte>() : plain_.data()) + start;
  std::memset(data, 0x5a, bytes);
  std::memset(data + bytes, static_cast<int>(sentinel), guard);
  taken_.push_back(data + bytes);
  return data;
}

bool Memory::intact() const {
  return std::all_of(taken_.begin(), taken_.end(), [](const std::byte* end) {
    return std::all_of(end, end + guard, [](std::byte byte) { return byte == sentinel; });
  });
}

Group all_ranks(const World& world) {
  Group group;
  group.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(group.ranks.begin(), group.ranks.end(), 0);
  return group;
}

std::vector<DType> Conformance::reducible() const {
  std::vector<DType> dtypes = all_dtypes();
  if (!GetParam().reduces_i16) std::erase(dtypes, DType::i16);
  return dtypes;
}

std::unique_ptr<Communicator> Conformance::everyone(World& world, CommunicatorOptions options) const {
  return over(world, all_ranks(world), std::move(options));
}

std::unique_ptr<Communicator> Conformance::over(World& world, const Group& group,
                                                CommunicatorOptions options) const {
  options.gives_way = GetParam().gives_way;
  return world.communicator(group, GetParam().backend, std::move(options));
}

}  // namespace trireme::comm::tests
