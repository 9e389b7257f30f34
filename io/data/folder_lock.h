#pragma once
#include <filesystem>

namespace trireme::io {

/// Keeps others with the same folder out for as long as it lives; waits for them. A process that dies lets
/// go.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int descriptor_ = -1;
};

}  // namespace trireme::io
