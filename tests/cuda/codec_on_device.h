#pragma once
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "comm/codec/codec.h"
#include "core/device.h"

namespace trireme::tests {

/// A device's coder against the scalar reference, to the bit, for one format, type, count and number of
/// operands.
class CodecOnDevice {
 public:
  using BlockFormat = comm::codec::BlockFormat;

  explicit CodecOnDevice(Device& device)
      : device_(device), stream_(device.make_stream()), coder_(device.make_coder(*stream_)) {}

  void compare(const BlockFormat& format, DType dtype, std::size_t count, int operands) {
    const std::size_t each = format.bytes(count);
    std::vector<std::byte> wanted(each * static_cast<std::size_t>(operands));
    std::vector<const void*> parts;
    const Buffer in = device_.allocate(count * size_of(dtype)), encoded = device_.allocate(wanted.size());
    for (int operand = 0; operand < operands; ++operand) {
      const std::vector<std::byte> values = values_of(dtype, count, operand);
      std::byte* at = wanted.data() + static_cast<std::size_t>(operand) * each;
      comm::codec::reference::encode(format, values.data(), dtype, count, at);
      parts.push_back(at);
      upload(in.data(), values);
      coder_->encode(format, in.data(), dtype, count,
                     encoded.as<std::byte>() + static_cast<std::size_t>(operand) * each);
      stream_->finish();
    }
    expect_equal(encoded.data(), wanted, "encoded");

    const comm::codec::Parts on_device{encoded.data(), each, operands};
    for (const float divisor : {1.0f, 3.0f}) {
      std::vector<std::byte> sum(count * size_of(dtype));
      comm::codec::reference::decode_sum(format, parts, count, divisor, sum.data(), dtype);
      const Buffer out = device_.allocate(sum.size());
      coder_->decode_sum(format, on_device, count, divisor, out.data(), dtype);
      expect_equal(out.data(), sum, "decoded and summed");
    }
    for (const BlockFormat& again :
         {comm::codec::int8_blocks, comm::codec::int4_blocks, BlockFormat{8, 4096}}) {
      std::vector<std::byte> sum(again.bytes(count));
      comm::codec::reference::recode_sum(format, parts, count, again, sum.data());
      const Buffer out = device_.allocate(sum.size());
      coder_->recode_sum(format, on_device, count, again, out.data());
      expect_equal(out.data(), sum, "summed and encoded");
    }
  }

  void compare_all() {
    const std::vector<BlockFormat> formats = {
        comm::codec::int8_blocks, comm::codec::int4_blocks, {8, 2}, {4, 34}};
    for (const BlockFormat& format : formats)
      for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
        for (const std::size_t count : {1u, 33u, 512u, 513u, 4099u})
          for (const int operands : {1, 3}) {
            SCOPED_TRACE(testing::Message()
                         << format.bits << " bits, blocks of " << format.block << ", " << name_of(dtype)
                         << ", " << count << " elements, " << operands << " operands");
            compare(format, dtype, count, operands);
            if (testing::Test::HasFailure()) return;
          }
  }

 private:
  /// Of every size, with blocks that hold an infinity, a NaN, nothing but zeros, or next to nothing.
  static std::vector<std::byte> values_of(DType dtype, std::size_t count, int seed) {
    std::mt19937 random(static_cast<unsigned>(count) * 7 + static_cast<unsigned>(seed));
    std::normal_distribution<float> normal;
    std::uniform_int_distribution<int> exponent(-12, 8);
    std::vector<std::byte> bytes(count * size_of(dtype));
    for (std::size_t i = 0; i < count; ++i) {
      float value = std::ldexp(normal(random), exponent(random));
      if (i / 600 == 2) value = 0;
      if (i / 600 == 3) value = std::ldexp(value, -120);
      if (i == 2500) value = std::numeric_limits<float>::infinity();
      if (i == 3600) value = std::numeric_limits<float>::quiet_NaN();
      if (dtype == DType::f32) reinterpret_cast<float*>(bytes.data())[i] = value;
      if (dtype == DType::bf16) reinterpret_cast<BFloat16*>(bytes.data())[i] = BFloat16(value);
      if (dtype == DType::f16) reinterpret_cast<Float16*>(bytes.data())[i] = Float16(value);
    }
    return bytes;
  }

  void upload(void* to, const std::vector<std::byte>& bytes) {
    const Buffer pinned = device_.allocate_pinned(bytes.size());
    std::memcpy(pinned.data(), bytes.data(), bytes.size());
    stream_->copy(to, pinned.data(), bytes.size());
    stream_->finish();
  }

  void expect_equal(const void* on_device, const std::vector<std::byte>& wanted, const char* what) {
    const Buffer pinned = device_.allocate_pinned(wanted.size());
    stream_->copy(pinned.data(), on_device, wanted.size());
    coder_->finish();
    const auto* found = pinned.as<std::byte>();
    for (std::size_t at = 0; at < wanted.size(); ++at)
      ASSERT_EQ(found[at], wanted[at]) << what << ", byte " << at << " of " << wanted.size();
  }

  Device& device_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<comm::codec::Coder> coder_;
};

}  // namespace trireme::tests
