#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace trireme::io {

/// Owns one file descriptor. Reads and writes are positional, so one File serves several threads.
class File {
 public:
  static File open_for_reading(const std::filesystem::path& path);
  /// An existing file, for reading too.
  static File open_for_writing(const std::filesystem::path& path);
  /// Creates or empties the file.
  static File create(const std::filesystem::path& path);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  std::uint64_t size() const;
  /// Fills `out` or throws: a file that ends early is damaged.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  void resize(std::uint64_t bytes);
  void sync();
  int descriptor() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  File(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_ = -1;
  std::filesystem::path path_;
};

/// Whole small files (configurations, indices); refuses one larger than `limit`.
std::string read_text(const std::filesystem::path& path, std::uint64_t limit = std::uint64_t{64} << 20);
/// Makes a rename or a new file in `folder` survive a crash.
void sync_folder(const std::filesystem::path& folder);
/// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder.
void write_text_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace trireme::io
