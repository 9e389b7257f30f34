#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "comm/call.h"

// One element of a reduction: the meaning that the vector kernels share with the reference.
namespace trireme::comm::simd::scalar {

template <typename T>
constexpr bool is_half = std::is_same_v<T, BFloat16> || std::is_same_v<T, Float16>;

template <typename T>
auto sum_type() {
  if constexpr (is_half<T>) {
    return float{};
  } else if constexpr (std::is_floating_point_v<T>) {
    return T{};
  } else {
    return std::make_unsigned_t<T>{};
  }
}

/// Signed overflow is undefined, so integers add as unsigned ones; half types add as floats.
template <typename T>
using Sum = decltype(sum_type<T>());

template <typename T>
T mean_of(Sum<T> sum, std::size_t ranks) {
  if constexpr (is_half<T>) {
    return T(sum / static_cast<float>(ranks));
  } else if constexpr (std::is_floating_point_v<T>) {
    return sum / static_cast<T>(ranks);
  } else {
    return static_cast<T>(static_cast<std::int64_t>(static_cast<T>(sum)) / static_cast<std::int64_t>(ranks));
  }
}

template <typename T>
T element(const void* const* in, std::size_t ranks, std::size_t i, Reduction reduction) {
  const auto value = [&](std::size_t rank) { return static_cast<const T*>(in[rank])[i]; };
  if (reduction == Reduction::max) {
    using Compared = std::conditional_t<is_half<T>, float, T>;
    auto largest = static_cast<Compared>(value(0));
    for (std::size_t rank = 1; rank < ranks; ++rank)
      largest = std::max(largest, static_cast<Compared>(value(rank)));
    return static_cast<T>(largest);
  }
  auto sum = static_cast<Sum<T>>(value(0));
  for (std::size_t rank = 1; rank < ranks; ++rank)
    sum = static_cast<Sum<T>>(sum + static_cast<Sum<T>>(value(rank)));
  return reduction == Reduction::mean ? mean_of<T>(sum, ranks) : static_cast<T>(sum);
}

}  // namespace trireme::comm::simd::scalar
