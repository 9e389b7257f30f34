#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "comm/simd/reduce.h"
#include "core/error.h"

namespace trireme::comm::simd::reference {
namespace {

template <typename T>
constexpr bool is_half = std::is_same_v<T, BFloat16> || std::is_same_v<T, Float16>;

/// Signed overflow is undefined, so integers add as unsigned ones; half types add as floats.
template <typename T>
struct Wide {
  static auto type() {
    if constexpr (is_half<T>) {
      return float{};
    } else if constexpr (std::is_floating_point_v<T>) {
      return T{};
    } else {
      return std::make_unsigned_t<T>{};
    }
  }
  using Sum = decltype(type());
};

template <typename T>
T mean_of(typename Wide<T>::Sum sum, std::size_t ranks) {
  if constexpr (is_half<T>) {
    return T(sum / static_cast<float>(ranks));
  } else if constexpr (std::is_floating_point_v<T>) {
    return sum / static_cast<T>(ranks);
  } else {
    return static_cast<T>(static_cast<std::int64_t>(static_cast<T>(sum)) / static_cast<std::int64_t>(ranks));
  }
}

template <typename T>
void reduce_as(std::span<const void* const> in, void* out, std::size_t count, Reduction reduction) {
  using Sum = typename Wide<T>::Sum;
  T* to = static_cast<T*>(out);
  for (std::size_t i = 0; i < count; ++i) {
    if (reduction == Reduction::max) {
      using Compared = std::conditional_t<is_half<T>, float, T>;
      auto largest = static_cast<Compared>(static_cast<const T*>(in[0])[i]);
      for (std::size_t rank = 1; rank < in.size(); ++rank)
        largest = std::max(largest, static_cast<Compared>(static_cast<const T*>(in[rank])[i]));
      to[i] = static_cast<T>(largest);
      continue;
    }
    auto sum = static_cast<Sum>(static_cast<const T*>(in[0])[i]);
    for (std::size_t rank = 1; rank < in.size(); ++rank)
      sum = static_cast<Sum>(sum + static_cast<Sum>(static_cast<const T*>(in[rank])[i]));
    to[i] = reduction == Reduction::mean ? mean_of<T>(sum, in.size()) : static_cast<T>(sum);
  }
}

}  // namespace

void reduce(std::span<const void* const> in, void* out, std::size_t count, DType dtype, Reduction reduction) {
  require(!in.empty(), "a reduction needs at least one input");
  switch (dtype) {
    case DType::f32:
      return reduce_as<float>(in, out, count, reduction);
    case DType::f64:
      return reduce_as<double>(in, out, count, reduction);
    case DType::bf16:
      return reduce_as<BFloat16>(in, out, count, reduction);
    case DType::f16:
      return reduce_as<Float16>(in, out, count, reduction);
    case DType::i8:
      return reduce_as<std::int8_t>(in, out, count, reduction);
    case DType::u8:
      return reduce_as<std::uint8_t>(in, out, count, reduction);
    case DType::boolean:
      return reduce_as<std::uint8_t>(in, out, count, Reduction::max);
    case DType::i16:
      return reduce_as<std::int16_t>(in, out, count, reduction);
    case DType::i32:
      return reduce_as<std::int32_t>(in, out, count, reduction);
    case DType::i64:
      return reduce_as<std::int64_t>(in, out, count, reduction);
  }
}

}  // namespace trireme::comm::simd::reference
