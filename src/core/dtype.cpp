#include "core/dtype.h"

#include <array>
#include <cmath>
#include <utility>

namespace trireme {
namespace {

constexpr std::array<std::pair<std::string_view, DType>, 32> names{{
    {"f32", DType::f32},   {"F32", DType::f32},      {"float32", DType::f32},   {"fp32", DType::f32},
    {"bf16", DType::bf16}, {"BF16", DType::bf16},    {"bfloat16", DType::bf16}, {"f16", DType::f16},
    {"F16", DType::f16},   {"float16", DType::f16},  {"fp16", DType::f16},      {"f64", DType::f64},
    {"F64", DType::f64},   {"float64", DType::f64},  {"i8", DType::i8},         {"I8", DType::i8},
    {"int8", DType::i8},   {"u8", DType::u8},        {"U8", DType::u8},         {"uint8", DType::u8},
    {"i16", DType::i16},   {"I16", DType::i16},      {"int16", DType::i16},     {"i32", DType::i32},
    {"I32", DType::i32},   {"int32", DType::i32},    {"i64", DType::i64},       {"I64", DType::i64},
    {"int64", DType::i64}, {"bool", DType::boolean}, {"BOOL", DType::boolean},  {"boolean", DType::boolean},
}};

}  // namespace

std::string_view name_of(DType dtype) {
  for (const auto& [name, value] : names)
    if (value == dtype) return name;
  return "unknown";
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const auto& [known, value] : names)
    if (known == name) return value;
  return std::nullopt;
}

Float16::Float16(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((word >> 16) & 0x8000u);
  const std::uint32_t magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    bits = static_cast<std::uint16_t>(sign | 0x7e00u);
  } else if (magnitude >= 0x477ff000u) {  // 65520 and above round to infinity
    bits = static_cast<std::uint16_t>(sign | 0x7c00u);
  } else if (magnitude < 0x38800000u) {  // below the smallest normal: the unit of the last place is 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 16777216.0f;
    bits = static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyintf(scaled)));
  } else {
    const std::uint32_t rebased = magnitude - 0x38000000u;
    bits = static_cast<std::uint16_t>(sign | ((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13));
  }
}

Float16::operator float() const {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -value : value;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

}  // namespace trireme
