#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "core/lane.h"
#include "io/file.h"

namespace trireme::io {

struct Extent {
  std::uint64_t offset = 0, bytes = 0;
  /// Where its user wants it in the end: read straight there where alignment allows.
  std::byte* into = nullptr;
};

/// Reads parts of a file in the order given, several requests ahead of its user: around the page cache, or
/// from it where it holds the file. Neighbours share a request. Holds one open file and a few MiB.
class ReadAhead {
 public:
  static constexpr std::uint64_t largest_extent = std::uint64_t{1} << 20;

  /// `extents` by ascending offset, none above `largest_extent`.
  ReadAhead(const std::filesystem::path& path, std::vector<Extent> extents);
  ~ReadAhead();

  /// The next extent's bytes, valid until the next call: where its user wants them, or in memory of this
  /// object. A file that ends before them is damaged.
  std::span<const std::byte> next();
  /// Bytes asked of the file so far.
  std::uint64_t requested() const { return requested_; }

 private:
  static constexpr std::size_t requests_ahead = 5;
  struct Request {
    std::uint64_t offset = 0, bytes = 0;
    std::size_t first = 0, last = 0;  ///< of its extents
    std::byte* into = nullptr;
  };
  struct Slot {
    Buffer memory;
    std::size_t got = 0;
    Event read;
  };
  void plan();
  bool goes_straight(const Extent& extent) const;
  bool joins(const Extent& extent, const Request& last, std::byte* into) const;
  void start(std::size_t request);

  std::vector<Extent> extents_;
  std::vector<Request> requests_;
  File file_;
  std::array<Slot, requests_ahead> slots_;
  std::array<std::unique_ptr<Lane>, requests_ahead> lanes_;
  std::size_t next_ = 0, request_ = 0;
  std::uint64_t requested_ = 0, most_ = 0;
};

}  // namespace trireme::io
