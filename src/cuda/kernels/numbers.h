#pragma once
#include <bit>
#include <cstdint>

#include <math.h>

#include "core/dtype.h"

// What runs on a device and, in tests, the very same on the host.
#ifdef __CUDACC__
#define TRIREME_DEVICE __device__ __forceinline__
#else
#define TRIREME_DEVICE inline
#endif

namespace trireme::cuda::on_device {

TRIREME_DEVICE std::uint32_t bits_of(float value) {
  return __builtin_bit_cast(std::uint32_t, value);
}
TRIREME_DEVICE float float_of(std::uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}

TRIREME_DEVICE float widen(float value) {
  return value;
}
TRIREME_DEVICE void narrow(float value, float& out) {
  out = value;
}

#ifndef __CUDACC__
// A device has types of its own (device_numbers.cuh).
inline float widen(BFloat16 value) {
  return static_cast<float>(value);
}
inline void narrow(float value, BFloat16& out) {
  out = BFloat16(value);
}
inline float widen(Float16 value) {
  return static_cast<float>(value);
}
inline void narrow(float value, Float16& out) {
  out = Float16(value);
}
#endif

/// The fastest way; what is not a number stays none, with whatever bits.
template <int width, typename T>
TRIREME_DEVICE void narrow_numbers(const float (&values)[width], T (&out)[width]) {
  for (int k = 0; k < width; ++k) narrow(values[k], out[k]);
}

/// So many numbers fill the widest access to memory.
template <typename T>
constexpr int widest = 16 / static_cast<int>(sizeof(T));

template <typename T, int count>
struct alignas(sizeof(T) * count < 16 ? sizeof(T) * count : 16) Pack {
  T values[count];
};

template <typename Packed>
TRIREME_DEVICE bool may_hold(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % alignof(Packed) == 0;
}

/// The first `count` of a pack, all at once where all are wanted and lie as they should.
template <int width, typename T>
TRIREME_DEVICE Pack<T, width> load_pack(const T* from, int count) {
  using Packed = Pack<T, width>;
  if (count == width && may_hold<Packed>(from)) return *reinterpret_cast<const Packed*>(from);
  Packed packed{};
  for (int k = 0; k < width; ++k)
    if (k < count) packed.values[k] = from[k];
  return packed;
}

template <int width, typename T>
TRIREME_DEVICE void store_pack(const Pack<T, width>& packed, T* into, int count) {
  using Packed = Pack<T, width>;
  if (count == width && may_hold<Packed>(into)) {
    *reinterpret_cast<Packed*>(into) = packed;
    return;
  }
  for (int k = 0; k < width; ++k)
    if (k < count) into[k] = packed.values[k];
}

template <int width, typename T>
TRIREME_DEVICE void widen(const Pack<T, width>& packed, float (&into)[width]) {
  for (int k = 0; k < width; ++k) into[k] = widen(packed.values[k]);
}

template <int width, typename T>
TRIREME_DEVICE void load(const T* from, int count, float (&into)[width]) {
  widen(load_pack<width>(from, count), into);
}

/// The bits that the CPU's conversion gives.
template <int width, typename T>
TRIREME_DEVICE void store(const float (&values)[width], T* into, int count) {
  Pack<T, width> packed;
  for (int k = 0; k < width; ++k) narrow(values[k], packed.values[k]);
  store_pack<width>(packed, into, count);
}

/// The same but for the bits of what is not a number.
template <int width, typename T>
TRIREME_DEVICE void store_numbers(const float (&values)[width], T* into, int count) {
  Pack<T, width> packed;
  narrow_numbers(values, packed.values);
  store_pack<width>(packed, into, count);
}

}  // namespace trireme::cuda::on_device
