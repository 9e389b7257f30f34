#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "core/dtype.h"
#include "io/file.h"

namespace trireme::io {

/// An array of int32 or int64 in NumPy's file format, C order, little endian: token ids.
class NpyFile {
 public:
  explicit NpyFile(const std::filesystem::path& path);
  const std::vector<std::int64_t>& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  std::uint64_t elements() const { return elements_; }
  /// Elements [first, first + out.size()) of the flattened array.
  void read(std::uint64_t first, std::span<std::int64_t> out) const;

 private:
  File file_;
  DType dtype_ = DType::i64;
  std::vector<std::int64_t> shape_;
  std::uint64_t data_begin_ = 0, elements_ = 1;
};

}  // namespace trireme::io
