#include "comm/codec/codec.h"

#include <array>
#include <vector>

#include "comm/codec/codec_kernels.h"
#include "core/error.h"

namespace trireme::comm::codec {
namespace {

constexpr std::size_t most_parts_on_stack = 16;
/// Blocks up to this length are summed in memory on the stack.
constexpr std::size_t longest_block_on_stack = 2048;

template <typename In>
void encode_as(const BlockFormat& format, const void* in, std::size_t count, std::uint8_t* out) {
  kernels::encode(format, static_cast<const In*>(in), count, reinterpret_cast<float*>(out),
                  out + format.scale_bytes(count));
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

void decode_operands(const BlockFormat& format, const Operands& operands, std::size_t count, float divisor,
                     void* out, DType dtype) {
  if (dtype == DType::f32)
    kernels::decode_sum(format, operands.data(), operands.count(), count, divisor, static_cast<float*>(out));
  else
    kernels::decode_sum(format, operands.data(), operands.count(), count, divisor,
                        static_cast<std::uint16_t*>(out));
}

void recode_operands(const BlockFormat& format, const Operands& operands, std::size_t count,
                     const BlockFormat& out_format, void* out) {
  check(format, DType::f32);
  check(out_format, DType::f32);
  auto* bytes = static_cast<std::uint8_t*>(out);
  std::array<float, longest_block_on_stack> short_block;
  std::vector<float> long_block(out_format.block > short_block.size() ? out_format.block : 0);
  kernels::recode_sum(format, operands.data(), operands.count(), count, out_format,
                      long_block.empty() ? short_block.data() : long_block.data(),
                      reinterpret_cast<float*>(bytes), bytes + out_format.scale_bytes(count));
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
      return encode_as<float>(format, in, count, bytes);
    case DType::bf16:
      return encode_as<std::uint16_t>(format, in, count, bytes);
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
