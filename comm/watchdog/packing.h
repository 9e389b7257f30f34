#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/error.h"

namespace trireme::comm {

/// Appends plain values to a string of bytes, in the machine's own order: all nodes of a run have the same
/// kind of processor.
class Packer {
 public:
  template <typename T>
  Packer& value(const T& plain) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&plain), sizeof(T));
    return *this;
  }
  Packer& text(std::string_view text) {
    value(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
    return *this;
  }
  template <typename T>
  Packer& list(const std::vector<T>& values) {
    value(static_cast<std::uint32_t>(values.size()));
    for (const T& one : values) value(one);
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads back what a Packer wrote; throws rather than read beyond the end.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T value() {
    static_assert(std::is_trivially_copyable_v<T>);
    T plain;
    const std::string_view bytes = take(sizeof(T));
    std::memcpy(&plain, bytes.data(), bytes.size());
    return plain;
  }
  std::string text() { return std::string(take(value<std::uint32_t>())); }
  template <typename T>
  std::vector<T> list() {
    const auto count = value<std::uint32_t>();
    require(count <= rest_.size() / sizeof(T), "a watchdog message says {} items but is too short for them",
            count);
    std::vector<T> values(count);
    for (T& one : values) one = value<T>();
    return values;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    require(size <= rest_.size(), "a watchdog message ends {} bytes early", size - rest_.size());
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest_;
};

}  // namespace trireme::comm
