#include "comm/simd/reduce.h"
#include "comm/simd/scalar.h"
#include "core/error.h"

namespace trireme::comm::simd::reference {
namespace {

template <typename T>
void reduce_as(std::span<const void* const> in, std::span<void* const> outs, std::size_t count,
               Reduction reduction) {
  for (std::size_t i = 0; i < count; ++i) {
    const T result = scalar::element<T>(in.data(), in.size(), i, reduction);
    for (void* out : outs) static_cast<T*>(out)[i] = result;
  }
}

}  // namespace

void reduce(std::span<const void* const> in, std::span<void* const> outs, std::size_t count, DType dtype,
            Reduction reduction) {
  require(!in.empty(), "a reduction needs at least one input");
  switch (dtype) {
    case DType::f32:
      return reduce_as<float>(in, outs, count, reduction);
    case DType::f64:
      return reduce_as<double>(in, outs, count, reduction);
    case DType::bf16:
      return reduce_as<BFloat16>(in, outs, count, reduction);
    case DType::f16:
      return reduce_as<Float16>(in, outs, count, reduction);
    case DType::i8:
      return reduce_as<std::int8_t>(in, outs, count, reduction);
    case DType::u8:
      return reduce_as<std::uint8_t>(in, outs, count, reduction);
    case DType::boolean:
      return reduce_as<std::uint8_t>(in, outs, count, Reduction::max);
    case DType::i16:
      return reduce_as<std::int16_t>(in, outs, count, reduction);
    case DType::i32:
      return reduce_as<std::int32_t>(in, outs, count, reduction);
    case DType::i64:
      return reduce_as<std::int64_t>(in, outs, count, reduction);
  }
}

}  // namespace trireme::comm::simd::reference
