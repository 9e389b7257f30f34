#include "comm/simd/reduce.h"

#include <algorithm>
#include <cstdint>

#include "comm/simd/limits.h"
#include "comm/simd/scalar.h"
#include "core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "comm/simd/reduce.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "comm/simd/lanes-inl.h"
// clang-format on
#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace trireme::comm::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T, Reduction how, bool streaming>
void reduce_lanes(const void* const* in, std::size_t ranks, void* const* outs, std::size_t writes,
                  std::size_t count) {
  const Lanes<T> lanes;
  const std::size_t n = lanes.size(), step = 4 * n;
  const auto divisor = lanes.divisor(ranks);
  const auto combine = [&](auto a, auto b) HWY_ATTR {
    if constexpr (how == Reduction::max) {
      return hn::IfThenElse(hn::Lt(a, b), b, a);
    } else {
      return hn::Add(a, b);
    }
  };
  const auto put = [&](auto value, T* to) HWY_ATTR {
    if constexpr (how == Reduction::mean) value = hn::Div(value, divisor);
    lanes.template store<streaming>(value, to);
  };
  std::size_t i = 0;
  for (; i + step <= count; i += step) {
    const T* from = static_cast<const T*>(in[0]) + i;
    auto a = lanes.load(from), b = lanes.load(from + n), c = lanes.load(from + 2 * n),
         d = lanes.load(from + 3 * n);
    for (std::size_t rank = 1; rank < ranks; ++rank) {
      from = static_cast<const T*>(in[rank]) + i;
      a = combine(a, lanes.load(from));
      b = combine(b, lanes.load(from + n));
      c = combine(c, lanes.load(from + 2 * n));
      d = combine(d, lanes.load(from + 3 * n));
    }
    for (std::size_t write = 0; write < writes; ++write) {
      T* to = static_cast<T*>(outs[write]) + i;
      put(a, to), put(b, to + n), put(c, to + 2 * n), put(d, to + 3 * n);
    }
  }
  for (; i < count; ++i) {
    const T result = scalar::element<T>(in, ranks, i, how);
    for (std::size_t write = 0; write < writes; ++write) static_cast<T*>(outs[write])[i] = result;
  }
  if constexpr (streaming) hwy::FlushStream();
}

template <typename T, Reduction how>
void reduce_stored(const void* const* in, std::size_t ranks, void* const* outs, std::size_t writes,
                   std::size_t count, bool streaming) {
  if (streaming) return reduce_lanes<T, how, true>(in, ranks, outs, writes, count);
  reduce_lanes<T, how, false>(in, ranks, outs, writes, count);
}

template <typename T>
void reduce_as(const void* const* in, std::size_t ranks, void* const* outs, std::size_t writes,
               std::size_t count, Reduction how, bool streaming) {
  if constexpr (std::is_same_v<T, Float16> && !converts_f16)
    return reference::reduce({in, ranks}, {outs, writes}, count, DType::f16, how);
  if (how == Reduction::max)
    return reduce_stored<T, Reduction::max>(in, ranks, outs, writes, count, streaming);
  if (how == Reduction::sum)
    return reduce_stored<T, Reduction::sum>(in, ranks, outs, writes, count, streaming);
  if constexpr (std::is_integral_v<T>) {
    reference::reduce({in, ranks}, {outs, writes}, count, integer_dtype<T>, how);
  } else {
    reduce_stored<T, Reduction::mean>(in, ranks, outs, writes, count, streaming);
  }
}

void reduce_all(const void* const* in, std::size_t ranks, void* const* outs, std::size_t writes,
                std::size_t count, DType dtype, Reduction how, bool streaming) {
  switch (dtype) {
    case DType::f32:
      return reduce_as<float>(in, ranks, outs, writes, count, how, streaming);
    case DType::f64:
      return reduce_as<double>(in, ranks, outs, writes, count, how, streaming);
    case DType::bf16:
      return reduce_as<BFloat16>(in, ranks, outs, writes, count, how, streaming);
    case DType::f16:
      return reduce_as<Float16>(in, ranks, outs, writes, count, how, streaming);
    case DType::i8:
      return reduce_as<std::int8_t>(in, ranks, outs, writes, count, how, streaming);
    case DType::u8:
      return reduce_as<std::uint8_t>(in, ranks, outs, writes, count, how, streaming);
    case DType::boolean:
      return reduce_as<std::uint8_t>(in, ranks, outs, writes, count, Reduction::max, streaming);
    case DType::i16:
      return reduce_as<std::int16_t>(in, ranks, outs, writes, count, how, streaming);
    case DType::i32:
      return reduce_as<std::int32_t>(in, ranks, outs, writes, count, how, streaming);
    case DType::i64:
      return reduce_as<std::int64_t>(in, ranks, outs, writes, count, how, streaming);
  }
}

}  // namespace trireme::comm::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::comm::simd {
HWY_EXPORT(reduce_all);

namespace {

/// Streaming stores fault on addresses that are not those of whole vectors.
constexpr std::size_t vector_alignment = 64;
bool aligned(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % vector_alignment == 0;
}

}  // namespace

void reduce(std::span<const void* const> in, std::span<void* const> outs, std::size_t count, DType dtype,
            Reduction reduction) {
  require(!in.empty(), "a reduction needs at least one input");
  const bool streaming = count * size_of(dtype) * (in.size() + outs.size()) >= limits::streamed_bytes &&
                         std::all_of(outs.begin(), outs.end(), aligned);
  HWY_DYNAMIC_DISPATCH(reduce_all)
  (in.data(), in.size(), outs.data(), outs.size(), count, dtype, reduction, streaming);
}

void reduce(std::span<const void* const> in, void* out, std::size_t count, DType dtype, Reduction reduction) {
  reduce(in, std::span<void* const>(&out, 1), count, dtype, reduction);
}

}  // namespace trireme::comm::simd
#endif
