#pragma once
#include "io/checkpoint/file_image.h"
#include "io/checkpoint/hdf5.h"

namespace trireme::io::hdf5 {

/// Makes HDF5 write a file into an image in memory: it touches no disk, so a full or failing one cannot leave
/// the library with a file that it can never close.
class ImageDriver {
 public:
  explicit ImageDriver(FileImage& image);
  /// Tells a file-access list to use it.
  void use_in(const Handle& access) const;

 private:
  FileImage* image_;
  Handle driver_;
};

}  // namespace trireme::io::hdf5
