#pragma once
#include <boost/json/value.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint/folder.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/slices.h"

namespace trireme::io {

/// Elements of a tensor, from `first` on, that a reader wants at `out`.
struct Wanted {
  std::string_view tensor;
  std::uint64_t first = 0;
  std::span<std::byte> out;  ///< as many elements as fit
  /// Instead of `out`, where memory holds the values otherwise: takes whole elements, whose bytes are those
  /// from `at` on, of `taken` in all.
  std::function<void(std::uint64_t at, std::span<const std::byte> bytes)> take{};
  std::uint64_t taken = 0;

  std::uint64_t size() const { return take ? taken : out.size(); }
};

/// What a read asked of the disk.
struct ReadTally {
  std::uint64_t bytes = 0;
};

/// A finished checkpoint, for reading any slice of any tensor, whatever the number of ranks that wrote it.
/// Opening checks the manifest and every file's presence and length; each read checks the digests of what it
/// touches, reads nothing twice, and has one file open at a time.
class Checkpoint {
 public:
  struct Tensor {
    DType dtype = DType::f32;
    std::vector<std::int64_t> shape;
  };

  explicit Checkpoint(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const Manifest& manifest() const { return manifest_; }
  const boost::json::object& state() const { return manifest_.state; }
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  /// Elements [first, first + out.size() / size_of(dtype)) of the flattened tensor, in its own dtype.
  void read(std::string_view tensor, std::uint64_t first, std::span<std::byte> out) const;
  ReadTally read(std::span<const Wanted> wanted) const;
  /// Reads every byte of every file; throws with file, tensor and offset at the first that differs.
  void verify() const;

 private:
  struct Place {
    std::size_t file;
    const StoredSlice* slice;
  };
  /// The chunk `chunk` of a slice goes, in part or whole, to `wanted`.
  struct Use {
    const StoredSlice* slice;
    std::uint64_t chunk;
    const Wanted* wanted;
  };
  /// Which bytes of the chunk those are, and where they go.
  struct Part {
    std::uint64_t chunk_bytes, begin, bytes;
    std::uint64_t at;  ///< of what is wanted
    std::byte* into;   ///< null where it is taken otherwise
    bool is_whole() const { return bytes == chunk_bytes; }
  };
  static Part part_of(const Use& use);
  std::vector<std::vector<Use>> uses_of(std::span<const Wanted> wanted) const;
  std::uint64_t read_file(const StoredFile& file, std::vector<Use>& uses) const;
  void verify_file(const StoredFile& expected, const std::vector<StoredSlice>& slices) const;

  std::filesystem::path folder_;
  Manifest manifest_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::vector<Place>, std::less<>> places_;
};

struct Found {
  std::optional<Checkpoint> checkpoint;
  std::vector<std::string> refused;  ///< one sentence for each newer one that was damaged
};
/// The newest checkpoint that verifies whole. Nothing found and nothing refused: there is none.
Found newest_checkpoint(const std::filesystem::path& checkpoints);

}  // namespace trireme::io
