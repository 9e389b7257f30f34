#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <hdf5.h>

#include "core/dtype.h"

namespace trireme::io::hdf5 {

/// Owns one HDF5 identifier. The library is driven by one thread at a time: whoever uses this sees to that.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  /// Throws with HDF5's own reason when `id` is not valid; `doing` says what was tried.
  Handle(hid_t id, Close close, const std::string& doing);
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  /// Closes now, so that a failure (a full disk) is seen.
  void close(const std::string& doing);

 private:
  hid_t id_;
  Close close_;
};

/// HDF5 prints its errors unless told not to; errors are thrown here instead.
class QuietErrors {
 public:
  QuietErrors();
  ~QuietErrors();
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

void check(herr_t status, const std::string& doing);
/// Throws with the innermost reason on HDF5's error stack.
[[noreturn]] void fail_with_stack(const std::string& doing);

Handle create_file(const std::filesystem::path& path);
/// The type in files; bf16 is a true HDF5 float of 16 bits, so other readers see its values.
Handle file_type(DType dtype);
Handle simple_space(const std::vector<hsize_t>& extents);
/// A link-creation list that makes the groups of a path on the way.
Handle intermediate_groups();

}  // namespace trireme::io::hdf5
