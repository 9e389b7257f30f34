#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

namespace trireme::io {

/// A whole file in memory as long as it lives, for reading; ranks of a node share the pages. Only for files
/// that were verified and are not written any more: one that shrinks under it ends the process.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace trireme::io
