#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/file.h"

namespace trireme::io {

/// One tensor of a safetensors file; bytes [begin, end) count from the start of the file.
struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t elements() const { return (end - begin) / size_of(dtype); }
};

struct SafetensorsHeader {
  std::vector<StoredTensor> tensors;  ///< in the order of their bytes
  std::map<std::string, std::string> metadata;
};

/// The longest header that the format allows.
constexpr std::uint64_t longest_safetensors_header = 100'000'000;

/// Reads and checks a header: every byte after it must belong to exactly one tensor. `file_bytes` is the
/// whole file's length.
SafetensorsHeader parse_safetensors_header(std::string_view header, std::uint64_t file_bytes,
                                           const std::string& where);

/// A checked safetensors file, open for slices. Reads are positional: several threads may share one.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::vector<StoredTensor>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const StoredTensor* find(std::string_view name) const;
  const StoredTensor& at(std::string_view name) const;
  const std::filesystem::path& path() const { return file_.path(); }

  /// Elements [first, first + out.size() / size_of(tensor.dtype)) of the flattened tensor, as stored.
  void read(const StoredTensor& tensor, std::uint64_t first, std::span<std::byte> out) const;
  /// The same converted to `target`, through a small buffer, so no copy of the slice is made in its stored
  /// type.
  void read_as(const StoredTensor& tensor, std::uint64_t first, DType target, std::span<std::byte> out) const;

 private:
  File file_;
  SafetensorsHeader header_;
  std::map<std::string_view, std::size_t> by_name_;
};

}  // namespace trireme::io
