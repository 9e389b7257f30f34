#include "tests/nccl_double/host_codec.h"

#include <atomic>
#include <vector>

#include "comm/codec/codec.h"
#include "tests/nccl_double/host_cuda.h"

namespace trireme::tests {
namespace {

using comm::codec::BlockFormat;
using cuda::NumberType;
namespace reference = comm::codec::reference;

struct Counters {
  std::atomic<std::uint64_t> encoded{0}, decoded{0}, recoded{0};
};

Counters& counters() {
  static Counters instance;
  return instance;
}

DType dtype_of(NumberType type) {
  return type == NumberType::f32 ? DType::f32 : type == NumberType::bf16 ? DType::bf16 : DType::f16;
}

bool usable(const void* data, std::size_t bytes, std::size_t alignment) {
  return host_cuda_reaches(data, bytes) && reinterpret_cast<std::uintptr_t>(data) % alignment == 0;
}

std::vector<const void*> listed(const void* parts, std::size_t stride, int count) {
  std::vector<const void*> list;
  for (int part = 0; part < count; ++part)
    list.push_back(static_cast<const std::byte*>(parts) + static_cast<std::size_t>(part) * stride);
  return list;
}

bool usable(const BlockFormat& format, const std::vector<const void*>& parts, std::size_t count) {
  for (const void* part : parts)
    if (!usable(part, format.bytes(count), sizeof(float))) return false;
  return !parts.empty() && count > 0;
}

cudaError_t launch(cudaStream_t stream, const char* kernel, bool right, std::function<void()> work) {
  if (!right) {
    report_misuse(std::string(kernel) + " was given memory that is not its own");
    return cudaErrorInvalidValue;
  }
  if (!host_cuda_enter(stream, kernel)) return cudaErrorInvalidValue;
  host_cuda_post(stream, std::move(work));
  return host_cuda_take_last_error();
}

cudaError_t encode(const BlockFormat& format, const void* in, NumberType type, std::size_t count, void* out,
                   cudaStream_t stream) {
  ++counters().encoded;
  const DType dtype = dtype_of(type);
  const bool right = count > 0 && usable(in, count * size_of(dtype), size_of(dtype)) &&
                     usable(out, format.bytes(count), sizeof(float));
  return launch(stream, "the encoding kernel", right,
                [=] { reference::encode(format, in, dtype, count, out); });
}

cudaError_t decode_sum(const BlockFormat& format, const void* parts, std::size_t stride, int part_count,
                       std::size_t count, float divisor, void* out, NumberType type, cudaStream_t stream) {
  ++counters().decoded;
  const DType dtype = dtype_of(type);
  auto list = listed(parts, stride, part_count);
  const bool right = usable(format, list, count) && usable(out, count * size_of(dtype), size_of(dtype));
  return launch(stream, "the decoding kernel", right, [=, list = std::move(list)] {
    reference::decode_sum(format, list, count, divisor, out, dtype);
  });
}

cudaError_t recode_sum(const BlockFormat& format, const void* parts, std::size_t stride, int part_count,
                       std::size_t count, const BlockFormat& out_format, void* out, cudaStream_t stream) {
  ++counters().recoded;
  auto list = listed(parts, stride, part_count);
  const bool right = usable(format, list, count) && usable(out, out_format.bytes(count), sizeof(float));
  return launch(stream, "the summing and encoding kernel", right,
                [=, list = std::move(list)] { reference::recode_sum(format, list, count, out_format, out); });
}

}  // namespace

cuda::CodecApi host_codec_api() {
  return {encode, decode_sum, recode_sum};
}

CodecCalls take_codec_calls() {
  Counters& made = counters();
  return {made.encoded.exchange(0), made.decoded.exchange(0), made.recoded.exchange(0)};
}

}  // namespace trireme::tests
