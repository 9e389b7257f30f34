#pragma once
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <hdf5.h>

#include "core/dtype.h"

namespace trireme::io::hdf5 {

/// Owns one HDF5 identifier. Made and closed while a `Turn` is held.
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

/// Held around a stretch of HDF5 calls. The library's state is the process's and knows no threads, so its
/// lock is the process's too. Errors are thrown instead of printed meanwhile.
class Turn {
 public:
  Turn();
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::unique_lock<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

void check(herr_t status, const std::string& doing);
/// Throws with the innermost reason on HDF5's error stack.
[[noreturn]] void fail_with_stack(const std::string& doing);

class ImageDriver;
/// From which size on what HDF5 places starts at a page of its own.
enum class Pages : std::uint8_t { for_large, for_all };
/// A file in the driver's image; `name` is for messages.
Handle create_file(const ImageDriver& driver, const std::string& name, Pages pages = Pages::for_large);
/// The type in files; bf16 is a true HDF5 float of 16 bits, so other readers see its values.
Handle file_type(DType dtype);
Handle simple_space(const std::vector<hsize_t>& extents);
/// Makes the groups on the way to a dataset, where they are missing. Like datasets they keep no times, which
/// would make the files of equal states differ.
void make_groups(const Handle& file, const std::string& dataset);
/// A dataset-creation list without times.
Handle dataset_creation();
/// A contiguous dataset that is allocated at once and never filled; where its bytes begin in the file.
std::uint64_t create_contiguous(const Handle& file, const std::string& dataset, DType dtype,
                                const std::vector<hsize_t>& extents);
/// An attribute of the root: UTF-8 text of fixed length.
void write_attribute(const Handle& file, const std::string& name, const std::string& text);

}  // namespace trireme::io::hdf5
