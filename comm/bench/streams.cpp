#include "comm/bench/streams.h"

#include <cstdint>
#include <cstring>

#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "comm/bench/streams.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::comm::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <bool streaming>
void sum_blocks(const float* in, int reads, float* out, int writes, std::size_t block) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d), step = 4 * lanes;
  std::size_t i = 0;
  for (; i + step <= block; i += step) {
    const float* from = in + i;
    auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + lanes);
    auto c = hn::LoadU(d, from + 2 * lanes), e = hn::LoadU(d, from + 3 * lanes);
    for (int read = 1; read < reads; ++read) {
      from += block;
      a = hn::Add(a, hn::LoadU(d, from));
      b = hn::Add(b, hn::LoadU(d, from + lanes));
      c = hn::Add(c, hn::LoadU(d, from + 2 * lanes));
      e = hn::Add(e, hn::LoadU(d, from + 3 * lanes));
    }
    float* into = out + i;
    for (int write = 0; write < writes; ++write, into += block) {
      if constexpr (streaming) {
        hn::Stream(a, d, into), hn::Stream(b, d, into + lanes);
        hn::Stream(c, d, into + 2 * lanes), hn::Stream(e, d, into + 3 * lanes);
      } else {
        hn::StoreU(a, d, into), hn::StoreU(b, d, into + lanes);
        hn::StoreU(c, d, into + 2 * lanes), hn::StoreU(e, d, into + 3 * lanes);
      }
    }
  }
  for (; i < block; ++i) {
    float sum = in[i];
    for (int read = 1; read < reads; ++read) sum += in[i + static_cast<std::size_t>(read) * block];
    for (int write = 0; write < writes; ++write) out[i + static_cast<std::size_t>(write) * block] = sum;
  }
  if constexpr (streaming) hwy::FlushStream();
}

float sum_of_block(const float* in, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  auto a = hn::Zero(d), b = hn::Zero(d), c = hn::Zero(d), e = hn::Zero(d);
  std::size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    a = hn::Add(a, hn::LoadU(d, in + i));
    b = hn::Add(b, hn::LoadU(d, in + i + lanes));
    c = hn::Add(c, hn::LoadU(d, in + i + 2 * lanes));
    e = hn::Add(e, hn::LoadU(d, in + i + 3 * lanes));
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  for (; i < count; ++i) sum += in[i];
  return sum;
}

void sum_blocks_cached(const float* in, int reads, float* out, int writes, std::size_t block) {
  sum_blocks<false>(in, reads, out, writes, block);
}
void sum_blocks_streaming(const float* in, int reads, float* out, int writes, std::size_t block) {
  sum_blocks<true>(in, reads, out, writes, block);
}

}  // namespace trireme::comm::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cstring>

#include <hwy/cache_control.h>

namespace trireme::comm::bench {
HWY_EXPORT(sum_of_block);
HWY_EXPORT(sum_blocks_cached);
HWY_EXPORT(sum_blocks_streaming);

namespace {
/// Streaming stores fault on addresses that are not those of whole vectors.
constexpr std::size_t vector_alignment = 64;
bool aligned(const void* out, int writes, std::size_t block_bytes) {
  return reinterpret_cast<std::uintptr_t>(out) % vector_alignment == 0 &&
         (writes == 1 || block_bytes % vector_alignment == 0);
}
}  // namespace

void stream_blocks(const void* in, int reads, void* out, int writes, std::size_t block_bytes, Stores stores) {
  if (reads == 1 && writes == 1 && (stores == Stores::cached || block_bytes % sizeof(float) != 0)) {
    std::memcpy(out, in, block_bytes);
    return;
  }
  const auto* from = static_cast<const float*>(in);
  auto* into = static_cast<float*>(out);
  const std::size_t block = block_bytes / sizeof(float);
  if (stores == Stores::streaming && aligned(out, writes, block_bytes)) {
    HWY_DYNAMIC_DISPATCH(sum_blocks_streaming)(from, reads, into, writes, block);
  } else {
    HWY_DYNAMIC_DISPATCH(sum_blocks_cached)(from, reads, into, writes, block);
  }
}

void read_block(const void* data, std::size_t bytes) {
  const volatile float sum =
      HWY_DYNAMIC_DISPATCH(sum_of_block)(static_cast<const float*>(data), bytes / sizeof(float));
  static_cast<void>(sum);
}

}  // namespace trireme::comm::bench
#endif
