#include "comm/simd/copy.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "comm/simd/limits.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "comm/simd/copy.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on
#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace trireme::comm::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `to` is aligned to a vector. Returns how much was copied: all but less than four vectors.
std::size_t copy_streaming(std::uint8_t* HWY_RESTRICT to, const std::uint8_t* HWY_RESTRICT from,
                           std::size_t bytes) {
  const hn::ScalableTag<std::uint8_t> tag;
  const std::size_t n = hn::Lanes(tag);
  std::size_t done = 0;
  for (; done + 4 * n <= bytes; done += 4 * n) {
    const auto a = hn::LoadU(tag, from + done), b = hn::LoadU(tag, from + done + n);
    const auto c = hn::LoadU(tag, from + done + 2 * n), d = hn::LoadU(tag, from + done + 3 * n);
    hn::Stream(a, tag, to + done), hn::Stream(b, tag, to + done + n);
    hn::Stream(c, tag, to + done + 2 * n), hn::Stream(d, tag, to + done + 3 * n);
  }
  hwy::FlushStream();
  return done;
}

}  // namespace trireme::comm::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::comm::simd {
HWY_EXPORT(copy_streaming);

void copy(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  if (2 * bytes >= limits::streamed_bytes) return copy_past_caches(to, from, bytes);
  std::memcpy(to, from, bytes);
}

void copy_past_caches(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  constexpr std::size_t vector_alignment = 64;
  auto* target = static_cast<std::uint8_t*>(to);
  const auto* source = static_cast<const std::uint8_t*>(from);
  const std::size_t head =
      std::min(bytes, (vector_alignment - reinterpret_cast<std::uintptr_t>(target) % vector_alignment) %
                          vector_alignment);
  std::memcpy(target, source, head);
  const std::size_t done =
      head + HWY_DYNAMIC_DISPATCH(copy_streaming)(target + head, source + head, bytes - head);
  std::memcpy(target + done, source + done, bytes - done);
}

}  // namespace trireme::comm::simd
#endif
