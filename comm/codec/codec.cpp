#include "comm/codec/codec.h"

#include <algorithm>
#include <array>
#include <vector>

#include "comm/codec/codec_kernels.h"
#include "core/error.h"

namespace trireme::comm::codec {
namespace {

/// Sums pass from decoding to finishing or encoding through this much memory, which stays in the first cache.
constexpr std::size_t strip = 2048;
constexpr std::size_t most_parts_on_stack = 16;

template <typename In>
void encode_as(const BlockFormat& format, const In* in, std::size_t count, std::uint8_t* out) {
  auto* scales = reinterpret_cast<float*>(out);
  std::uint8_t* numbers = out + format.scale_bytes(count);
  for (std::size_t block = 0; block < format.blocks(count); ++block) {
    const std::size_t at = block * format.block, length = std::min<std::size_t>(format.block, count - at);
    const Scale scale = scale_of(kernels::largest(in + at, length), format.levels());
    scales[block] = scale.scale;
    kernels::quantise(format, in + at, length, scale.inverse, numbers + format.number_bytes(at));
  }
  write_padding(format, count, out);
}

/// The operands of a sum, without the heap for as many as a node usually has ranks.
class Operands {
 public:
  Operands(const BlockFormat& format, std::span<const void* const> parts, std::size_t count)
      : Operands(format, parts, static_cast<int>(parts.size()), count) {}
  Operands(const BlockFormat& format, const Parts& parts, std::size_t count)
      : Operands(format, parts, parts.count, count) {}
  const Encoded* data() const { return many_.empty() ? few_.data() : many_.data(); }
  int count() const { return count_; }

 private:
  template <typename List>
  Operands(const BlockFormat& format, const List& parts, int part_count, std::size_t count)
      : count_(part_count) {
    const auto wanted = static_cast<std::size_t>(part_count);
    if (wanted > few_.size()) many_.resize(wanted);
    Encoded* operands = many_.empty() ? few_.data() : many_.data();
    for (int part = 0; part < part_count; ++part) operands[part] = Encoded::at(parts[part], format, count);
  }

  std::array<Encoded, most_parts_on_stack> few_{};
  std::vector<Encoded> many_;
  int count_;
};

/// Sums [begin, end) into `out`, block by block of the operands.
void sum_range(const BlockFormat& format, const Operands& operands, std::size_t begin, std::size_t end,
               float* out) {
  while (begin < end) {
    const std::size_t stop = std::min(end, (begin / format.block + 1) * format.block);
    kernels::sum(format, operands.data(), operands.count(), begin, stop - begin, out);
    out += stop - begin;
    begin = stop;
  }
}

template <typename Out>
void decode_as(const BlockFormat& format, const Operands& operands, std::size_t count, float divisor,
               Out* out) {
  std::array<float, strip> sums;
  for (std::size_t at = 0; at < count; at += strip) {
    const std::size_t length = std::min(strip, count - at);
    sum_range(format, operands, at, at + length, sums.data());
    kernels::finish(sums.data(), length, divisor, out + at);
  }
}

void decode_operands(const BlockFormat& format, const Operands& operands, std::size_t count, float divisor,
                     void* out, DType dtype) {
  if (dtype == DType::f32)
    decode_as(format, operands, count, divisor, static_cast<float*>(out));
  else
    decode_as(format, operands, count, divisor, static_cast<std::uint16_t*>(out));
}

void recode_operands(const BlockFormat& format, const Operands& operands, std::size_t count,
                     const BlockFormat& out_format, void* out) {
  check(format, DType::f32);
  check(out_format, DType::f32);
  auto* bytes = static_cast<std::uint8_t*>(out);
  auto* scales = reinterpret_cast<float*>(bytes);
  std::uint8_t* numbers = bytes + out_format.scale_bytes(count);
  std::array<float, strip> short_block;
  std::vector<float> long_block(out_format.block > strip ? out_format.block : 0);
  float* sums = long_block.empty() ? short_block.data() : long_block.data();
  for (std::size_t block = 0; block < out_format.blocks(count); ++block) {
    const std::size_t at = block * out_format.block,
                      length = std::min<std::size_t>(out_format.block, count - at);
    sum_range(format, operands, at, at + length, sums);
    const Scale scale = scale_of(kernels::largest(sums, length), out_format.levels());
    scales[block] = scale.scale;
    kernels::quantise(out_format, sums, length, scale.inverse, numbers + out_format.number_bytes(at));
  }
  write_padding(out_format, count, bytes);
}

}  // namespace

void check(const BlockFormat& format, DType dtype) {
  require(format.bits == 8 || format.bits == 4, "there is no wire codec of {} bits; there are 8 and 4",
          format.bits);
  require(format.block >= 2 && format.block % 2 == 0, "a codec's block must be even, not {} elements",
          format.block);
  require(dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16,
          "{} cannot be quantised; f32, bf16 and f16 can", name_of(dtype));
}

void encode(const BlockFormat& format, const void* in, DType dtype, std::size_t count, void* out) {
  check(format, dtype);
  auto* bytes = static_cast<std::uint8_t*>(out);
  switch (dtype) {
    case DType::f32:
      return encode_as(format, static_cast<const float*>(in), count, bytes);
    case DType::bf16:
      return encode_as(format, static_cast<const std::uint16_t*>(in), count, bytes);
    default:
      return reference::encode(format, in, dtype, count, out);
  }
}

void decode(const BlockFormat& format, const void* encoded, std::size_t count, void* out, DType dtype) {
  decode_sum(format, std::span(&encoded, 1), count, 1.0f, out, dtype);
}

void decode_sum(const BlockFormat& format, std::span<const void* const> parts, std::size_t count,
                float divisor, void* out, DType dtype) {
  check(format, dtype);
  if (dtype == DType::f16) return reference::decode_sum(format, parts, count, divisor, out, dtype);
  decode_operands(format, Operands(format, parts, count), count, divisor, out, dtype);
}

void decode_sum(const BlockFormat& format, const Parts& parts, std::size_t count, float divisor, void* out,
                DType dtype) {
  check(format, dtype);
  if (dtype != DType::f16)
    return decode_operands(format, Operands(format, parts, count), count, divisor, out, dtype);
  std::vector<const void*> list;
  for (int part = 0; part < parts.count; ++part) list.push_back(parts[part]);
  reference::decode_sum(format, list, count, divisor, out, dtype);
}

void recode_sum(const BlockFormat& format, std::span<const void* const> parts, std::size_t count,
                const BlockFormat& out_format, void* out) {
  recode_operands(format, Operands(format, parts, count), count, out_format, out);
}

void recode_sum(const BlockFormat& format, const Parts& parts, std::size_t count,
                const BlockFormat& out_format, void* out) {
  recode_operands(format, Operands(format, parts, count), count, out_format, out);
}

}  // namespace trireme::comm::codec
