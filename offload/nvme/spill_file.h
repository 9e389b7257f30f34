#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include <sys/types.h>

#include "core/descriptor.h"

namespace trireme::offload {

/// What direct access to a file wants addresses, offsets and lengths to be multiples of.
struct Alignment {
  std::uint32_t memory = 4096, offset = 4096;
};

/// A private file of fixed size that holds state of this process while it runs: readable by its owner alone,
/// with its space taken beforehand, locked, and gone when the object is.
class SpillFile {
 public:
  /// Throws a configuration error where the folder cannot be written or lacks the space.
  SpillFile(const std::filesystem::path& folder, std::uint64_t bytes);
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Through the page cache.
  int plain() const { return plain_.get(); }
  /// Around the page cache; -1 where the file system does not do that.
  int direct() const { return direct_.get(); }
  const Alignment& alignment() const { return alignment_; }

 private:
  void take_space();
  void open_direct();

  std::filesystem::path path_;
  std::uint64_t bytes_;
  pid_t owner_;
  Descriptor plain_, direct_;
  Alignment alignment_;
};

struct Swept {
  int files = 0;
  std::uint64_t bytes = 0;
};
/// Removes spill files of this host and user whose owner has ended without doing so. The kernel drops a
/// process's locks with it, so a file that can be locked has no owner. Files of other hosts on a shared file
/// system stay.
Swept remove_stale_spills(const std::filesystem::path& folder);

}  // namespace trireme::offload
