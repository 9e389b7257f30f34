#include "io/convert.h"

#include <cstring>

#include "core/error.h"

namespace trireme::io {
namespace {

template <typename From, typename To>
void convert_loop(std::span<const std::byte> from, std::span<std::byte> to) {
  const std::size_t count = from.size() / sizeof(From);
  for (std::size_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, from.data() + i * sizeof(From), sizeof(From));
    const To result = static_cast<To>(static_cast<float>(value));
    std::memcpy(to.data() + i * sizeof(To), &result, sizeof(To));
  }
}

template <typename From>
void convert_to(DType target, std::span<const std::byte> from, std::span<std::byte> to) {
  switch (target) {
    case DType::f32:
      return convert_loop<From, float>(from, to);
    case DType::bf16:
      return convert_loop<From, BFloat16>(from, to);
    case DType::f16:
      return convert_loop<From, Float16>(from, to);
    default:
      fail(ExitCode::internal, "no conversion of elements to {}", name_of(target));
  }
}

}  // namespace

void convert_elements(DType source, std::span<const std::byte> from, DType target, std::span<std::byte> to) {
  require(from.size() / size_of(source) == to.size() / size_of(target),
          "conversion between buffers of {} and {} elements", from.size() / size_of(source),
          to.size() / size_of(target));
  if (source == target) {
    if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
    return;
  }
  switch (source) {
    case DType::f32:
      return convert_to<float>(target, from, to);
    case DType::bf16:
      return convert_to<BFloat16>(target, from, to);
    case DType::f16:
      return convert_to<Float16>(target, from, to);
    case DType::f64:
      return convert_to<double>(target, from, to);
    default:
      fail(ExitCode::configuration, "elements of type {} are not weights and are not converted to {}",
           name_of(source), name_of(target));
  }
}

}  // namespace trireme::io
