#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace trireme::io {

/// Bytes of a slice that one digest covers, so that a part of a slice can be verified without the rest.
constexpr std::uint64_t digest_chunk = std::uint64_t{1} << 20;

/// A run of elements of a flattened tensor that one rank gives to a checkpoint.
struct TensorSlice {
  std::string name;  ///< "model/layers.3.mlp.up_proj.weight"
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;  ///< of the whole tensor
  std::uint64_t begin = 0;
  std::span<const std::byte> bytes;
  /// Instead of `bytes`, where memory holds the values otherwise: makes bytes from `at` on, of `made` in all.
  std::function<void(std::uint64_t at, std::span<std::byte> into)> make{};
  std::uint64_t made = 0;

  std::uint64_t size() const { return make ? made : bytes.size(); }
  std::uint64_t count() const { return size() / size_of(dtype); }
  void read(std::uint64_t at, std::span<std::byte> into) const {
    if (make) return make(at, into);
    std::memcpy(into.data(), bytes.data() + at, into.size());
  }
};

/// The same slice once it lies in a file.
struct StoredSlice {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, count = 0;
  std::string dataset;
  std::uint64_t offset = 0;            ///< of its first byte in the file
  std::vector<std::uint64_t> digests;  ///< XXH3-64 of each digest_chunk bytes
  std::uint64_t bytes() const { return count * size_of(dtype); }
};

struct StoredFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::string digest;  ///< XXH3-128 of the whole file
  bool operator==(const StoredFile&) const = default;
};

/// What a rank tells the one that commits: its file, and what is in it.
struct ShardRecord {
  StoredFile file;
  std::vector<StoredSlice> slices;
};

/// Number of elements of a shape; a scalar has one.
std::uint64_t elements_of(const std::vector<std::int64_t>& shape);

}  // namespace trireme::io
