#pragma once
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/device.h"
#include "core/device_kernels.h"
#include "core/dtype.h"

namespace trireme::tests {

using Floats = std::vector<float>;
using Bytes = std::vector<std::byte>;

inline Bytes stored(const Floats& values, DType type) {
  Bytes bytes(values.size() * size_of(type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DType::f32) reinterpret_cast<float*>(bytes.data())[i] = values[i];
    if (type == DType::bf16) reinterpret_cast<BFloat16*>(bytes.data())[i] = BFloat16(values[i]);
    if (type == DType::f16) reinterpret_cast<Float16*>(bytes.data())[i] = Float16(values[i]);
  }
  return bytes;
}

inline Floats read(const Bytes& bytes, DType type) {
  Floats values(bytes.size() / size_of(type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DType::f32) values[i] = reinterpret_cast<const float*>(bytes.data())[i];
    if (type == DType::bf16)
      values[i] = static_cast<float>(reinterpret_cast<const BFloat16*>(bytes.data())[i]);
    if (type == DType::f16) values[i] = static_cast<float>(reinterpret_cast<const Float16*>(bytes.data())[i]);
  }
  return values;
}

inline Floats rounded(const Floats& values, DType type) {
  return read(stored(values, type), type);
}

inline Floats normal(std::size_t count, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(0, scale);
  Floats values(count);
  for (float& value : values) value = distribution(random);
  return values;
}

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// An array in a device's memory, some elements away from where memory is aligned, between bytes that nobody
/// may touch.
class Placed {
 public:
  static constexpr std::size_t margin = 64;

  Placed(Device& device, Stream& stream, const Bytes& bytes, std::size_t shift)
      : stream_(stream), bytes_(bytes.size()), first_(margin + shift) {
    const std::size_t all = first_ + bytes_ + margin;
    memory_ = device.allocate(all), pinned_ = device.allocate_pinned(all);
    std::memset(pinned_.data(), guard, all);
    if (bytes_ > 0) std::memcpy(pinned_.as<std::byte>() + first_, bytes.data(), bytes_);
    stream_.copy(memory_.data(), pinned_.data(), all);
    stream_.finish();
  }

  template <typename T = void>
  T* at() const {
    return reinterpret_cast<T*>(memory_.as<std::byte>() + first_);
  }
  Bytes bytes() const {
    stream_.copy(pinned_.data(), memory_.data(), first_ + bytes_ + margin);
    stream_.finish();
    const auto* all = pinned_.as<std::byte>();
    for (std::size_t i = 0; i < first_ + bytes_ + margin; ++i)
      if ((i < first_ || i >= first_ + bytes_) && all[i] != std::byte{guard}) {
        ADD_FAILURE() << "a byte was written " << (i < first_ ? "before" : "after") << " an array of "
                      << bytes_;
        break;
      }
    return {all + first_, all + first_ + bytes_};
  }
  template <typename T>
  std::vector<T> values() const {
    const Bytes found = bytes();
    std::vector<T> values(found.size() / sizeof(T));
    std::memcpy(values.data(), found.data(), found.size());
    return values;
  }

 private:
  static constexpr unsigned char guard = 0x5a;
  Stream& stream_;
  std::size_t bytes_, first_;
  Buffer memory_, pinned_;
};

/// A device whose kernels are compared with the host's.
class KernelSite {
 public:
  explicit KernelSite(Device& device) : device_(device), stream_(device.make_stream()) {
    stream_->use_for_tensors();
  }

 protected:
  DeviceKernels& kernels() { return device_.kernels(); }
  Placed place(const Bytes& bytes, std::size_t shift = 0) { return {device_, *stream_, bytes, shift}; }
  template <typename T>
  Placed place(const std::vector<T>& values, std::size_t shift = 0) {
    return place(bytes_of(values), shift * sizeof(T));
  }
  Placed place(const Floats& values, DType type, std::size_t shift = 0) {
    return place(stored(values, type), shift * size_of(type));
  }
  Placed garbage(std::size_t bytes, std::size_t shift = 0) {
    return place(Bytes(bytes, std::byte{0xcd}), shift);
  }

  static constexpr DType types[] = {DType::f32, DType::bf16, DType::f16};

 private:
  Device& device_;
  std::unique_ptr<Stream> stream_;
};

template <typename T>
void expect_same(const std::vector<T>& found, const std::vector<T>& wanted, const char* what) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_EQ(std::memcmp(&found[i], &wanted[i], sizeof(T)), 0) << what << ", place " << i;
}

/// Within what rounding to the type makes of them, and of sums taken in another order.
inline void expect_near(const Floats& found, const Floats& wanted, DType type, const char* what,
                        float scale = 1) {
  ASSERT_EQ(found.size(), wanted.size());
  const float relative = type == DType::bf16 ? 0x1.1p-8f : type == DType::f16 ? 0x1.1p-11f : 4e-6f;
  for (std::size_t i = 0; i < found.size(); ++i) {
    // Infinities have no distance.
    if (found[i] == wanted[i]) continue;
    ASSERT_NEAR(found[i], wanted[i], relative * std::fabs(wanted[i]) + 4e-6f * scale)
        << what << ", place " << i;
  }
}

}  // namespace trireme::tests
