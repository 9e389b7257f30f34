#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace trireme::io {

/// Addresses, offsets and lengths of direct reads and writes are multiples of it.
constexpr std::size_t direct_alignment = 4096;

/// Owns one file descriptor. Reads and writes are positional, so one File serves several threads.
class File {
 public:
  static File open_for_reading(const std::filesystem::path& path);
  /// An existing file, for reading too.
  static File open_for_writing(const std::filesystem::path& path);
  /// The same two around the page cache, where the file system can do that.
  static File open_for_direct_reading(const std::filesystem::path& path);
  static File create_for_direct_writing(const std::filesystem::path& path);
  static File open_for_direct_writing(const std::filesystem::path& path);
  /// Creates or empties the file.
  static File create(const std::filesystem::path& path);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  std::uint64_t size() const;
  /// Fills `out` or throws: a file that ends early is damaged.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  /// As much of `out` as the file has; how much that was.
  std::size_t read_until_end(std::uint64_t offset, std::span<std::byte> out) const;
  /// Whether the page cache holds nearly all of it, as a sample says.
  bool is_cached() const;
  /// Makes the next read ask the disk, where pages are cached at all.
  void drop_cache() const;
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Takes the blocks for this length now, so that a disk that is too full says so before anything is
  /// written.
  void reserve(std::uint64_t bytes);
  void resize(std::uint64_t bytes);
  void sync();
  /// Whether reads and writes go around the page cache.
  bool is_direct() const { return direct_; }
  int descriptor() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  File(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  static File open_direct(const std::filesystem::path& path, int access);

  int descriptor_ = -1;
  bool direct_ = false;
  std::filesystem::path path_;
};

/// Whole small files (configurations, indices); refuses one larger than `limit`.
std::string read_text(const std::filesystem::path& path, std::uint64_t limit = std::uint64_t{64} << 20);
/// Makes a rename or a new file in `folder` survive a crash.
void sync_folder(const std::filesystem::path& folder);
/// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder.
void write_text_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace trireme::io
