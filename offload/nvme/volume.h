#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "offload/nvme/spill_file.h"

namespace trireme::offload {

/// A run of bytes within one file.
struct Extent {
  int file = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Extent&) const = default;
};

/// Bytes dealt over several files in stripes, so that as many drives work at once.
struct Striping {
  int files = 1;
  std::uint64_t stripe = std::uint64_t{8} << 20;

  std::vector<Extent> extents(std::uint64_t offset, std::uint64_t bytes) const;
  /// How much of a volume of `bytes` file `file` holds; whole stripes where there are several files.
  std::uint64_t file_bytes(int file, std::uint64_t bytes) const;
};

/// A byte range on one or more drives: one spill file in each folder.
class Volume {
 public:
  /// First removes what crashed runs have left in the folders.
  Volume(const std::vector<std::filesystem::path>& folders, std::uint64_t bytes, Striping striping = {});

  std::uint64_t bytes() const { return bytes_; }
  const Striping& striping() const { return striping_; }
  const SpillFile& file(int index) const { return *files_[static_cast<std::size_t>(index)]; }
  int file_count() const { return striping_.files; }
  /// The range as memory through the page cache, for what is rare and need not be quick: the kernel reads
  /// pages as they are touched and takes them back under pressure. Keeps the files open.
  Buffer map() const;

 private:
  std::uint64_t bytes_;
  Striping striping_;
  std::vector<std::shared_ptr<SpillFile>> files_;
};

}  // namespace trireme::offload
