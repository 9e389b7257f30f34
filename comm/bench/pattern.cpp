#include "comm/bench/pattern.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace trireme::comm::bench {
namespace {

constexpr std::size_t period = 251;

template <typename Visit>
auto with_type(DType dtype, Visit visit) {
  switch (dtype) {
    case DType::f32:
      return visit(float{});
    case DType::f64:
      return visit(double{});
    case DType::bf16:
      return visit(BFloat16{});
    case DType::f16:
      return visit(Float16{});
    case DType::i8:
      return visit(std::int8_t{});
    case DType::u8:
    case DType::boolean:
      return visit(std::uint8_t{});
    case DType::i16:
      return visit(std::int16_t{});
    case DType::i32:
      return visit(std::int32_t{});
    case DType::i64:
      return visit(std::int64_t{});
  }
  return visit(float{});
}

template <typename T>
T from_sum(int sum, int divisor) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(sum / divisor);
  } else if constexpr (std::is_same_v<T, double>) {
    return static_cast<double>(sum) / divisor;
  } else {
    return T(static_cast<float>(sum) / static_cast<float>(divisor));
  }
}

template <typename T>
void fill_as(void* data, std::size_t elements, int rank, std::size_t offset) {
  T* values = static_cast<T*>(data);
  std::array<T, period> table;
  for (std::size_t i = 0; i < period; ++i) table[i] = from_sum<T>(pattern_value(rank, offset + i), 1);
  for (std::size_t i = 0; i < elements; ++i) values[i] = table[i % period];
}

/// What the group makes of the values that all ranks have at one index.
template <typename T>
T reduced_at(const Workload& workload, std::size_t index) {
  int sum = 0, max = 0;
  for (int rank = 0; rank < workload.ranks; ++rank) {
    sum += pattern_value(rank, index);
    max = std::max(max, pattern_value(rank, index));
  }
  if (workload.reduction == Reduction::max) return from_sum<T>(max, 1);
  return from_sum<T>(sum, workload.reduction == Reduction::mean ? workload.ranks : 1);
}

template <typename T, typename Expected>
std::uint64_t count_differences(const T* values, std::size_t elements, Expected expected) {
  std::array<T, period> table;
  for (std::size_t i = 0; i < period; ++i) table[i] = expected(i);
  std::uint64_t wrong = 0;
  for (std::size_t i = 0; i < elements; ++i)
    // The bits count here: a wrong NaN is wrong.  NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
    wrong += std::memcmp(&values[i], &table[i % period], sizeof(T)) != 0;
  return wrong;
}

template <typename T>
std::uint64_t count_wrong_as(const Workload& workload, int rank, const T* out) {
  const std::size_t part = workload.part(), own = part * static_cast<std::size_t>(rank);
  const auto given_by = [](int giver, std::size_t offset) {
    return [giver, offset](std::size_t i) { return from_sum<T>(pattern_value(giver, offset + i), 1); };
  };
  std::uint64_t wrong = 0;
  switch (workload.collective) {
    case Collective::all_gather:
    case Collective::all_to_all:
      for (int giver = 0; giver < workload.ranks; ++giver) {
        const std::size_t offset = workload.collective == Collective::all_gather ? 0 : own;
        wrong +=
            count_differences(out + part * static_cast<std::size_t>(giver), part, given_by(giver, offset));
      }
      return wrong;
    case Collective::reduce_scatter:
      return count_differences(out, part, [&](std::size_t i) { return reduced_at<T>(workload, own + i); });
    case Collective::all_reduce:
      return count_differences(out, part, [&](std::size_t i) { return reduced_at<T>(workload, i); });
    case Collective::broadcast:
      return count_differences(out, part, given_by(0, 0));
    case Collective::sendrecv:
      return count_differences(out, part, given_by((rank + workload.ranks - 1) % workload.ranks, 0));
  }
  return wrong;
}

}  // namespace

int pattern_value(int rank, std::size_t index) {
  const auto place = static_cast<std::uint32_t>(index % period) * 2654435761u +
                     static_cast<std::uint32_t>(rank) * 40503u * 65537u;
  return static_cast<int>((place ^ (place >> 15)) * 2246822519u >> 30) % 3;
}

void fill_pattern(void* data, std::size_t elements, DType dtype, int rank, std::size_t offset) {
  with_type(dtype, [&](auto type) { fill_as<decltype(type)>(data, elements, rank, offset); });
}

void prepare_check(const Workload& workload, int rank, const Placed& placed) {
  std::memset(placed.out, 0x5b, placed.out_elements * size_of(workload.dtype));
  if (workload.collective == Collective::broadcast && rank != 0) return;
  fill_pattern(placed.in, placed.in_elements, workload.dtype, rank, 0);
}

std::uint64_t count_wrong(const Workload& workload, int rank, const Placed& placed) {
  return with_type(workload.dtype, [&](auto type) {
    return count_wrong_as(workload, rank, reinterpret_cast<const decltype(type)*>(placed.out));
  });
}

}  // namespace trireme::comm::bench
