#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace trireme::io {

/// The bytes of a file that is being laid out, in memory: only pages that were written take space, so a file
/// of many GB whose data come later is small here.
class FileImage {
 public:
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Zeros where nothing was written.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  std::vector<std::byte> all() const;
  void resize(std::uint64_t bytes) { bytes_ = bytes; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  static constexpr std::uint64_t page_bytes = 4096;
  using Page = std::array<std::byte, page_bytes>;
  std::map<std::uint64_t, Page> pages_;
  std::uint64_t bytes_ = 0;
};

}  // namespace trireme::io
