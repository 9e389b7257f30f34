#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/file.h"
#include "io/safetensors.h"

namespace trireme::io {

struct TensorShape {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
};

/// Writes one safetensors file: the header at once, then slices of its tensors in any order, so no tensor
/// need be whole in memory. The file stands under a temporary name until `commit`, which checks that every
/// byte was given.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<TensorShape>& tensors,
                    const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  /// Elements of the tensor's own dtype, from element `first` on.
  void write(std::string_view name, std::uint64_t first, std::span<const std::byte> elements);
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string_view, std::size_t> by_name_;
  std::uint64_t expected_ = 0, written_ = 0;
  bool committed_ = false;
  File file_;
};

}  // namespace trireme::io
