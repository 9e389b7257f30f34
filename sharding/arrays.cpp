#include "sharding/arrays.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

#include "core/error.h"

namespace trireme::sharding {
namespace {

constexpr std::size_t cache_line = 64, huge_page = std::size_t{1} << 21;
constexpr std::int64_t lanes = 16;

template <typename T>
void store_as(const float* from, void* into, std::int64_t count) {
  T* values = static_cast<T*>(into);
  for (std::int64_t i = 0; i < count; ++i) values[i] = T(from[i]);
}

template <typename T>
void load_as(const void* from, float* into, std::int64_t count) {
  const T* values = static_cast<const T*>(from);
  for (std::int64_t i = 0; i < count; ++i) into[i] = static_cast<float>(values[i]);
}

[[gnu::always_inline]] inline double squares_in_lanes(const float* values, std::int64_t count) {
  std::array<double, lanes> sums{};
  const std::int64_t whole = count / lanes * lanes;
  for (std::int64_t i = 0; i < whole; i += lanes)
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      const double value = values[i + lane];
      sums[static_cast<std::size_t>(lane)] += value * value;
    }
  double total = 0;
  for (std::int64_t i = whole; i < count; ++i) total += static_cast<double>(values[i]) * values[i];
  for (const double sum : sums) total += sum;
  return total;
}

#if defined(__x86_64__)
/// Squares of floats are exact in double and lanes are added in one order: the same bits.
__attribute__((target("avx512f"))) double squares_in_wide_vectors(const float* values, std::int64_t count) {
  return squares_in_lanes(values, count);
}
#endif

}  // namespace

comm::Buffer host_buffer(std::size_t bytes) {
  const std::size_t rounded = std::max((bytes + cache_line - 1) / cache_line, std::size_t{1}) * cache_line;
  // A pass over all of a model's state touches more small pages than a core remembers.
  const std::size_t alignment = rounded >= huge_page ? huge_page : cache_line;
  const std::size_t whole = (rounded + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, whole);
  if (!data)
    fail(ExitCode::configuration,
         "no host memory for {} bytes; use more ranks or a placement that splits more", bytes);
  if (alignment == huge_page) madvise(data, whole, MADV_HUGEPAGE);
  std::memset(data, 0, rounded);
  return comm::Buffer(data, bytes, [data] { std::free(data); });
}

void add(float* into, const float* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) into[i] += from[i];
}

double sum_of_squares(const float* values, std::int64_t count) {
#if defined(__x86_64__)
  static const bool wide = __builtin_cpu_supports("avx512f");
  if (wide) return squares_in_wide_vectors(values, count);
#endif
  return squares_in_lanes(values, count);
}

void store(const float* from, void* into, DType dtype, std::int64_t count) {
  switch (dtype) {
    case DType::f32:
      std::memcpy(into, from, static_cast<std::size_t>(count) * sizeof(float));
      return;
    case DType::bf16:
      return store_as<BFloat16>(from, into, count);
    case DType::f16:
      return store_as<Float16>(from, into, count);
    case DType::u8:
      return store_as<std::uint8_t>(from, into, count);
    default:
      fail(ExitCode::internal, "parameters are not stored as {}", name_of(dtype));
  }
}

void load(const void* from, DType dtype, float* into, std::int64_t count) {
  switch (dtype) {
    case DType::f32:
      std::memcpy(into, from, static_cast<std::size_t>(count) * sizeof(float));
      return;
    case DType::bf16:
      return load_as<BFloat16>(from, into, count);
    case DType::f16:
      return load_as<Float16>(from, into, count);
    case DType::u8:
      return load_as<std::uint8_t>(from, into, count);
    default:
      fail(ExitCode::internal, "parameters are not stored as {}", name_of(dtype));
  }
}

}  // namespace trireme::sharding
