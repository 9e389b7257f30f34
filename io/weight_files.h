#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors.h"

namespace trireme::io {

/// Elements [first, first + out.size() / size_of(target)) of a flattened tensor, converted to `target`.
struct WeightSlice {
  std::string name;
  std::uint64_t first = 0;
  DType target = DType::f32;
  std::span<std::byte> out;
};

/// The weights of a Hugging Face folder: `model.safetensors`, or the shards that
/// `model.safetensors.index.json` names. Reads are positional: several threads may share one.
class WeightFiles {
 public:
  explicit WeightFiles(const std::filesystem::path& folder);

  /// Every tensor of every file; the pointers live as long as this object.
  std::vector<const StoredTensor*> tensors() const;
  const StoredTensor* find(std::string_view name) const;
  /// Reads the slices in pieces that `threads` share.
  void read(std::span<const WeightSlice> slices, int threads) const;
  void read_as(std::string_view name, std::uint64_t first, DType target, std::span<std::byte> out) const;
  /// Sum of the tensors' stored bytes.
  std::uint64_t bytes() const;

 private:
  struct Place {
    std::size_t file;
    const StoredTensor* tensor;
  };
  void add_shards(const std::filesystem::path& folder, const std::filesystem::path& index);
  void add_file(const std::filesystem::path& path);

  std::vector<SafetensorsFile> files_;
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace trireme::io
