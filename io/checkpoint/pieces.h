#pragma once
#include <cstdint>
#include <vector>

#include "io/checkpoint/slices.h"

namespace trireme::io {

/// A run of a shard file's bytes: one digest chunk of a slice, or what lies between slices (HDF5's own).
struct FilePiece {
  static constexpr std::size_t between = ~std::size_t{0};
  std::uint64_t offset = 0, bytes = 0;
  std::size_t slice = between;  ///< index into the record's slices
  std::uint64_t at = 0;         ///< of its first byte in the slice
  std::uint64_t end() const { return offset + bytes; }
  std::size_t chunk() const { return static_cast<std::size_t>(at / digest_chunk); }
};

/// The whole file in order, without holes. Throws an error of the code "damaged", which names `where`, when
/// slices overlap or leave the file.
std::vector<FilePiece> pieces_of(const std::vector<StoredSlice>& slices, std::uint64_t file_bytes,
                                 const std::string& where);

}  // namespace trireme::io
