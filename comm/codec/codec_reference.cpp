#include <algorithm>
#include <vector>

#include "comm/codec/codec.h"
#include "comm/codec/steps.h"

namespace trireme::comm::codec::reference {
namespace {

template <typename In>
void encode_as(const BlockFormat& format, const In* in, std::size_t count, std::uint8_t* out) {
  auto* scales = reinterpret_cast<float*>(out);
  std::uint8_t* numbers = out + format.scale_bytes(count);
  for (std::size_t block = 0; block < format.blocks(count); ++block) {
    const std::size_t at = block * format.block, length = std::min<std::size_t>(format.block, count - at);
    const Scale scale = scale_of(largest_of_thread(in + at, length, 0, 1), format.levels());
    scales[block] = scale.scale;
    write_numbers(format, in + at, length, scale.inverse, numbers + format.number_bytes(at), 0, 1);
  }
  write_padding(format, count, out);
}

std::vector<Encoded> operands_of(const BlockFormat& format, std::span<const void* const> parts,
                                 std::size_t count) {
  std::vector<Encoded> operands;
  for (const void* part : parts) operands.push_back(Encoded::at(part, format, count));
  return operands;
}

}  // namespace

void encode(const BlockFormat& format, const void* in, DType dtype, std::size_t count, void* out) {
  check(format, dtype);
  auto* bytes = static_cast<std::uint8_t*>(out);
  if (dtype == DType::f32) return encode_as(format, static_cast<const float*>(in), count, bytes);
  if (dtype == DType::bf16) return encode_as(format, static_cast<const std::uint16_t*>(in), count, bytes);
  const auto* halves = static_cast<const Float16*>(in);
  const std::vector<float> wide(halves, halves + count);
  encode_as(format, wide.data(), count, bytes);
}

void decode_sum(const BlockFormat& format, std::span<const void* const> parts, std::size_t count,
                float divisor, void* out, DType dtype) {
  check(format, dtype);
  const std::vector<Encoded> operands = operands_of(format, parts, count);
  for (std::size_t i = 0; i < count; ++i) {
    const float sum =
        finish_sum(sum_at(format, Listed{operands.data()}, static_cast<int>(operands.size()), i), divisor);
    switch (dtype) {
      case DType::bf16:
        narrow(sum, static_cast<std::uint16_t*>(out)[i]);
        break;
      case DType::f16:
        static_cast<Float16*>(out)[i] = Float16(sum);
        break;
      default:
        static_cast<float*>(out)[i] = sum;
    }
  }
}

void recode_sum(const BlockFormat& format, std::span<const void* const> parts, std::size_t count,
                const BlockFormat& out_format, void* out) {
  check(out_format, DType::f32);
  std::vector<float> sum(count);
  reference::decode_sum(format, parts, count, 1.0f, sum.data(), DType::f32);
  encode_as(out_format, sum.data(), count, static_cast<std::uint8_t*>(out));
}

}  // namespace trireme::comm::codec::reference
